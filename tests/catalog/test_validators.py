"""The validator of a project, which shows without reading the project whether it has changed."""

from __future__ import annotations

from pypid.model import ProjectRecord, Status
from pypid.testing.builds import wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.web import MemorySite, basic, upload_form


class ValidatorTests(Synchronous):
    def setUp(self) -> None:
        self.site = MemorySite()
        self.catalog = self.site.catalog
        self.publish("1.0")

    def publish(self, version: str) -> None:
        """Upload a wheel of a version."""
        filename, content = wheel("acme-lib", version)
        headers, body = upload_form(filename, content, "acme-lib", version)
        answer = self.site.request("POST", "/legacy/", headers | basic("ci", "secret"), body)
        self.assertEqual(answer.status, 200)

    def validator(self) -> object:
        """Request the project, and return its validator."""
        self.result(self.catalog.project("acme-lib"))
        validator = self.catalog.validator("acme-lib")
        self.assertIsNotNone(validator)
        return validator

    def test_it_is_the_same_while_nothing_changes(self) -> None:
        validator = self.validator()
        self.assertEqual(self.catalog.validator("acme-lib"), validator)
        self.assertEqual(self.validator(), validator)

    def test_with_the_project_at_hand_it_costs_nothing(self) -> None:
        """It is the value for that very project, also when the storage has another one by now."""
        project = self.result(self.catalog.project("acme-lib"))
        validator = self.catalog.validator("acme-lib")
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED)))
        self.assertEqual(self.catalog.validator("acme-lib", project), validator)
        self.assertIsNone(self.catalog.validator("acme-lib"))
        self.assertNotEqual(self.validator(), validator)
        self.assertNotEqual(self.catalog.validator("acme-lib", project), validator)

    def test_each_change_makes_another(self) -> None:
        validators = [self.validator()]
        self.publish("2.0")
        validators.append(self.validator())
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED)))
        validators.append(self.validator())
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED, "old")))
        validators.append(self.validator())
        self.assertEqual(len(set(validators)), 4)

    def test_no_key_before_a_scan(self) -> None:
        """There is none for an absent, a changed or a forgotten project either."""
        self.assertIsNone(self.catalog.validator("nowhere"))
        self.assertIsNone(self.result(self.catalog.project("nowhere")))
        self.assertIsNone(self.catalog.validator("nowhere"))
        self.validator()
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED)))
        self.assertIsNone(self.catalog.validator("acme-lib"))
        self.validator()
        self.catalog.forget("acme-lib")
        self.assertIsNone(self.catalog.validator("acme-lib"))

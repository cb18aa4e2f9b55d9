"""The version key of a project, which tells without the project whether it has changed."""

from __future__ import annotations

from pypid.model import ProjectRecord, Status
from pypid.testing.builds import wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.web import MemorySite, basic, upload_form


class VersionKeyTests(Synchronous):
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

    def version_key(self) -> object:
        """Request the project, and return its version key."""
        self.result(self.catalog.project("acme-lib"))
        version_key = self.catalog.version_key("acme-lib")
        self.assertIsNotNone(version_key)
        return version_key

    def test_it_is_the_same_while_nothing_changes(self) -> None:
        version_key = self.version_key()
        self.assertEqual(self.catalog.version_key("acme-lib"), version_key)
        self.assertEqual(self.version_key(), version_key)

    def test_each_change_makes_another(self) -> None:
        version_keys = [self.version_key()]
        self.publish("2.0")
        version_keys.append(self.version_key())
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED)))
        version_keys.append(self.version_key())
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED, "old")))
        version_keys.append(self.version_key())
        self.assertEqual(len(set(version_keys)), 4)

    def test_no_key_before_a_scan(self) -> None:
        """There is none for an absent, a changed or a forgotten project either."""
        self.assertIsNone(self.catalog.version_key("nowhere"))
        self.assertIsNone(self.result(self.catalog.project("nowhere")))
        self.assertIsNone(self.catalog.version_key("nowhere"))
        self.version_key()
        self.result(self.site.storage.amend_project("acme-lib", ProjectRecord(Status.ARCHIVED)))
        self.assertIsNone(self.catalog.version_key("acme-lib"))
        self.version_key()
        self.catalog.forget("acme-lib")
        self.assertIsNone(self.catalog.version_key("acme-lib"))

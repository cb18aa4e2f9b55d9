"""The contract suite of catalogs."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

from zope.interface.verify import verifyObject

from pypid.interfaces import ICatalog
from pypid.model import ProjectRecord, Status
from pypid.testing.builds import sdist, wheel
from pypid.testing.catalog_steps import CatalogSteps

__all__ = ["CatalogContract"]


class CatalogContract(CatalogSteps):
    """The promises of :class:`pypid.interfaces.ICatalog`."""

    def test_interface(self) -> None:
        """The provider provides the interface."""
        self.assertTrue(verifyObject(ICatalog, self.catalog))

    def test_empty(self) -> None:
        """An empty catalog has no projects and no journal."""
        self.assertEqual(self.result(self.catalog.projects()), {})
        self.assertIsNone(self.result(self.catalog.project("foo")))
        self.assertEqual(self.last_serial(), 0)
        self.assertEqual(list(self.changes()), [])
        self.assertEqual(list(self.result(self.catalog.latest(10, first_only=False))), [])
        self.assertEqual(self.result(self.catalog.count()), (0, 0))

    def test_count(self) -> None:
        """All projects and files are counted, whether they were requested before or not."""
        for build in (wheel("foo", "1.0"), sdist("foo", "1.0"), wheel("bar", "1.0")):
            self.publish(build)
        self.assertEqual(self.result(self.catalog.count()), (2, 3))

    def test_project(self) -> None:
        """A project has its files by version, what their bytes tell, and the newest one's spelling."""
        self.publish(wheel("Foo.Bar", "1.10", requires_python=">=3.9"))
        self.publish(sdist("foo-bar", "1.9"))
        project = self.project("foo-bar")
        older, newer = project.files
        self.assertEqual((project.name, project.display_name), ("foo-bar", "Foo.Bar"))
        self.assertEqual((older.version, newer.version), ("1.9", "1.10"))
        self.assertEqual((older.requires_python, newer.requires_python), (None, ">=3.9"))
        self.assertEqual((older.upload_time, newer.upload_time), (self.time, self.time - timedelta(hours=1)))
        self.assertIsNotNone(newer.core_metadata)
        data = wheel("Foo.Bar", "1.10", requires_python=">=3.9")[1]
        self.assertEqual((newer.size, newer.hashes), (len(data), {"sha256": sha256(data).hexdigest()}))
        self.assertEqual((project.status, project.tombstones), (Status.ACTIVE, {}))

    def test_sidecars(self) -> None:
        """A file has the digest of its provenance, and whether it is signed; that alone is no news."""
        provenance = b'{"version":1,"attestation_bundles":[{}]}'
        self.publish(sdist("foo", "1.0"), signature=b"signature", provenance=provenance)
        self.publish(wheel("foo", "1.0"))
        self.publish(sdist("foo", "2.0"), provenance=b"nonsense")
        found = {file.filename: (file.signed, file.provenance) for file in self.project("foo").files}
        self.assertEqual(
            found,
            {
                "foo-1.0.tar.gz": (True, sha256(provenance).hexdigest()),
                "foo-1.0-py3-none-any.whl": (False, None),
                "foo-2.0.tar.gz": (False, None),
            },
        )
        self.assertNotIn("provenance", " ".join(change.action for change in self.changes()))
        self.assertEqual(self.news("foo"), [])

    def test_replaced(self) -> None:
        """A file in the place of another one is shown with its own sidecar files alone."""
        provenances = [b'{"version":1,"attestation_bundles":[{}, %d]}' % number for number in range(2)]
        old = None
        for number, (signature, provenance) in enumerate(
            [
                (b"signature", provenances[0]),
                (None, None),
                (None, provenances[0]),
                (None, provenances[1]),
                (b"other", None),
            ]
        ):
            build = wheel("foo", "1.0", requires_python=f">=3.{number}")
            name = self.publish(build, signature=signature, provenance=provenance, replaces=old)
            news = [f"remove file {name}"] if old is not None else ["create", "new release"]
            self.assertEqual(self.news("foo"), [*news, f"add py3 file {name}"])
            [file] = self.project("foo").files
            self.assertEqual((file.signed, file.upload_time), (signature is not None, self.time))
            self.assertEqual(file.provenance, sha256(provenance).hexdigest() if provenance else None)
            self.assertEqual(file.requires_python, f">=3.{number}")
            old = build[1]

    def test_unchanged(self) -> None:
        """While nothing changes, the very same objects are given, and nothing is in the journal."""
        self.publish(sdist("foo", "1.0"))
        project = self.project("foo")
        projects = self.result(self.catalog.projects())
        self.assertEqual(self.news("foo"), [])
        self.pass_time(100)
        self.assertEqual(self.news("foo"), [])
        self.assertIs(self.project("foo"), project)
        self.assertIs(self.result(self.catalog.projects()), projects)
        self.catalog.forget("foo")
        self.assertEqual(self.project("foo"), project)
        self.assertEqual(self.news("foo"), [])

    def test_c177_published(self) -> None:
        """What is published is in the journal in the words of PyPI, and the project's serial grows."""
        one, other = self.publish(wheel("foo", "1.0")), self.publish(sdist("foo", "1.0"))
        self.assertEqual(
            self.news("foo"), ["create", "new release", f"add py3 file {one}", f"add source file {other}"]
        )
        serial = self.project("foo").serial
        another = self.publish(sdist("foo", "2.0"))
        self.assertEqual(self.news("foo"), ["new release", f"add source file {another}"])
        self.assertGreater(self.project("foo").serial, serial)

    def test_c176_changes(self) -> None:
        """Each row has what mirrors ask for; they can ask for what is new, and for a part of it."""
        self.publish(sdist("foo", "1.0"))
        self.project("foo")
        create, release, file = self.changes()
        self.assertEqual([row.version for row in (create, release, file)], [None, "1.0", "1.0"])
        self.assertEqual(create.time.utcoffset(), timedelta(0))
        self.assertEqual(list(self.changes(create.serial, 1)), [release])
        self.assertEqual(list(self.changes(file.serial)), [])
        self.assertEqual(len(self.changes(-(10**30))), 3)
        self.assertEqual(list(self.changes(10**30)), [])

    def test_yanks(self) -> None:
        """Yanks are told by release where they are of all its files, and else by file."""
        one, other = self.publish(wheel("foo", "1.0")), self.publish(sdist("foo", "1.0"))
        self.news("foo")
        self.yank("foo", one, "broken")
        self.assertEqual(self.news("foo"), [f"yank file {one}"])
        self.assertEqual({file.filename: file.yanked for file in self.project("foo").files}[one], "broken")
        self.yank("foo", one, None)
        self.assertEqual(self.news("foo"), [f"unyank file {one}"])
        self.yank("foo", one, "")
        self.yank("foo", other, "")
        self.assertEqual(self.news("foo"), ["yank release"])
        self.assertEqual([file.yanked for file in self.project("foo").files], ["", ""])
        self.yank("foo", one, None)
        self.yank("foo", other, None)
        self.assertEqual(self.news("foo"), ["unyank release"])

    def test_status(self) -> None:
        """A change of status is in the journal, one of the reason alone as well."""
        self.publish(sdist("foo", "1.0"))
        self.news("foo")
        for reason in ("use bar", "use bar instead"):
            self.result(self.storage.amend_project("foo", ProjectRecord(Status.DEPRECATED, reason)))
            self.assertEqual(self.news("foo"), ["change status to deprecated"])
            project = self.project("foo")
            self.assertEqual((project.status, project.status_reason), (Status.DEPRECATED, reason))

    def test_people(self) -> None:
        """Who founded a project owns it, until it is said otherwise; the journal tells."""
        self.publish(sdist("foo", "1.0"), founder="ann")
        self.assertEqual(self.news("foo")[:2], ["create", "add Owner ann"])
        self.assertEqual(self.project("foo").owners, ("ann",))
        self.publish(wheel("foo", "1.0"), founder="bob")
        self.assertNotIn("add Owner bob", self.news("foo"))
        for owners, maintainers, news in [
            (("ann", "cy"), ("bob",), ["add Owner cy", "add Maintainer bob"]),
            (("cy",), (), ["remove Owner ann", "remove Maintainer bob"]),
        ]:
            record = ProjectRecord(owners=owners, maintainers=maintainers)
            self.result(self.storage.amend_project("foo", record))
            self.assertEqual(self.news("foo"), news)
            project = self.project("foo")
            self.assertEqual((project.owners, project.maintainers), (owners, maintainers))
        self.assertEqual(self.news("foo"), [])

    def test_founded(self) -> None:
        """A project is founded while there is anything in it, if only that something was removed."""
        one = self.publish(sdist("foo", "1.0"), founder="ann")
        self.assertTrue(self.project("foo").is_founded)
        self.remove("foo", one)
        project = self.project("foo")
        self.assertEqual((project.is_founded, project.owners), (True, ("ann",)))

    def test_removals(self) -> None:
        """A removed file is gone, and its name with its digest is known; the project stays."""
        one, other = self.publish(wheel("foo", "1.0")), self.publish(sdist("foo", "1.0"))
        self.news("foo")
        self.remove("foo", one)
        self.assertEqual(self.news("foo"), [f"remove file {one}"])
        self.remove("foo", other)
        self.assertEqual(self.news("foo"), [f"remove file {other}", "remove release"])
        project = self.project("foo")
        self.assertEqual(project.files, ())
        self.assertEqual(project.tombstones[one], sha256(wheel("foo", "1.0")[1]).hexdigest())
        self.publish(wheel("foo", "1.0"))
        self.assertEqual(self.news("foo"), ["new release", f"add py3 file {one}"])
        self.assertEqual(list(self.project("foo").tombstones), [other])

    def test_latest(self) -> None:
        """The newest releases are given, newest first; or those alone with which a project began."""
        for build in (sdist("foo", "1.0"), sdist("bar", "1.0"), sdist("foo", "2.0"), wheel("foo", "2.0")):
            self.publish(build)
            for name in ("foo", "bar"):
                self.result(self.catalog.project(name))
        latest = self.result(self.catalog.latest(10, first_only=False))
        self.assertEqual(
            [(row.project, row.version) for row in latest], [("foo", "2.0"), ("bar", "1.0"), ("foo", "1.0")]
        )
        self.assertEqual(list(self.result(self.catalog.latest(1, first_only=False))), latest[:1])
        first = self.result(self.catalog.latest(10, first_only=True))
        self.assertEqual([(row.project, row.version) for row in first], [("bar", "1.0"), ("foo", "1.0")])

    def test_fault_a11_projects(self) -> None:
        """The list of projects shows new ones at once, and what nobody asked for soon after."""
        for name in ("foo", "Bar", "a_b"):
            self.publish(sdist(name, "1.0"))
        projects = self.result(self.catalog.projects())
        self.assertEqual(list(projects), ["a-b", "bar", "foo"])
        self.assertGreater(min(projects.values()), 0)
        self.publish(sdist("foo", "2.0"))
        self.pass_time(2)
        newer = self.result(self.catalog.projects())
        self.assertGreater(newer["foo"], max(projects.values()))
        self.assertEqual(newer["bar"], projects["bar"])
        self.assertEqual(self.news("foo"), [])

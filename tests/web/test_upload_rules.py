"""Uploads under the rules of an index: warnings, dry runs, and replaced files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import evolve
from harness import forgery

from pypid.index.administration import ProjectAdministration
from pypid.interfaces import Admit
from pypid.model import FileRecord, Publication, Status
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import SIGNATURE, attestation, core_metadata, sdist, wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.inline import InlineStaged, InlineStorage
from pypid.testing.steps import now
from pypid.testing.web import NOW, Answer, MemorySite, basic, upload_form
from pypid.upload import UploadRules

CI = basic("ci", "secret")
DRY = "/legacy/?dry-run=1"
FIRST = wheel("acme", "1.0")
OTHER = wheel("acme", "1.0", payload=b"other")
LOCAL = wheel("acme", "1.0+cpu")
JSON = "application/vnd.pypi.simple.v1+json"
OVERWRITE = UploadRules(overwrite=("*.dev*",))
DEV, NEW_DEV = (
    wheel("acme", "1.0.dev1", requires_dist=["old"]),
    wheel("acme", "1.0.dev1", requires_dist=["new"]),
)


class Interrupted(InlineStorage):
    """Lets rivals go first."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self.rivals: list[Callable[[], object]] = []

    async def stage(self) -> Any:
        return InterruptedStaging(await super().stage(), self.rivals)


class InterruptedStaging:
    """Is about to publish, when the rivals come."""

    def __init__(self, staging: InlineStaged, rivals: list[Callable[[], object]]) -> None:
        self._staging, self._rivals = staging, rivals

    def __getattr__(self, name: str) -> Any:
        return getattr(self._staging, name)

    async def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        while self._rivals:
            self._rivals.pop()()
        return await self._staging.publish(publication, admit)


class RulesTests(Synchronous):
    """What a client gets to read."""

    def make(self, rules: UploadRules | None = None) -> None:
        self.site = MemorySite(rules=rules or UploadRules())

    def setUp(self) -> None:
        self.make()

    def upload(self, build: tuple[str, bytes], version: str, path: str = "/legacy/", **fields: str) -> Answer:
        headers, body = upload_form(*build, "acme", version, **fields)
        return self.site.request("POST", path, headers | CI, body)

    def page(self) -> Answer:
        return self.site.get("/simple/acme/", Accept=JSON)

    def changes(self) -> ProjectAdministration:
        return ProjectAdministration(self.site.storage, self.site.catalog, lambda: NOW)

    def journal(self) -> list[str]:
        return [change.action for change in now(self.site.catalog.changes(0, 100))]

    def assert_nothing(self) -> None:
        """Nothing was stored, staged, or written down."""
        self.assertEqual(self.page().status, 404)
        self.assertEqual(self.result(self.site.storage.projects()), [])
        self.assertEqual(self.journal(), [])

    def test_warnings(self) -> None:
        """They are lines of the body of a 200."""
        answer = self.upload(LOCAL, "1.0+cpu")
        self.assertEqual((answer.status, answer.reason), (200, "OK"))
        self.assertEqual(
            answer.text.splitlines(), [f"published {LOCAL[0]}", "warning: version: it is a local one"]
        )
        answer = self.upload(FIRST, "1.0")
        self.assertEqual(answer.text, f"published {FIRST[0]}\n")

    def test_strict(self) -> None:
        """Strict rules refuse the same, in both places."""
        self.make(UploadRules(strict=True))
        answer = self.upload(LOCAL, "1.0+cpu")
        self.assertEqual((answer.status, answer.reason), (400, "version: it is a local one"))
        self.assertEqual(answer.text, "version: it is a local one\n")
        self.assert_nothing()
        self.assertEqual(self.upload(FIRST, "1.0").status, 200)

    def test_c156_old_kinds(self) -> None:
        """They are refused by name, unless they are allowed."""
        build = "acme-1.0-py2.7.egg", forgery.forge([forgery.Part("EGG-INFO/x", b"")])
        answer = self.upload(build, "1.0", filetype="bdist_egg", pyversion="2.7")
        self.assertEqual(answer.status, 400)
        self.assertIn("content: files of the kind .egg are not taken here", answer.reason)
        self.assertIn("have the administrator say --old-archives egg", answer.reason)  # fault F7
        self.make(UploadRules(strict=True))
        answer = self.upload(build, "1.0", filetype="bdist_egg", pyversion="2.7")
        self.assertTrue(answer.reason.endswith("send a .whl or .tar.gz"), answer.reason)
        self.make(UploadRules(old_archives=frozenset({".egg", ".msi"})))
        self.assertEqual(self.upload(build, "1.0", filetype="sdist").status, 400)
        self.assertEqual(self.upload(build, "1.0", filetype="bdist_egg", pyversion="2.7").status, 200)
        msi = "acme-1.0.win32.msi", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        self.assertEqual(self.upload(msi, "1.0", filetype="bdist_wininst").status, 400)
        self.assertEqual(self.upload(msi, "1.0", filetype="bdist_msi").status, 200)

    def test_dry_run(self) -> None:
        """It says what would happen, and nothing does."""
        for path in (DRY, "/?dry-run=true", "/legacy/?dry-run=0&dry-run=1", "/legacy/?dry-run"):
            self.assertEqual(self.upload(FIRST, "1.0", path).text, f"would publish {FIRST[0]}\n", path)
        answer = self.upload(LOCAL, "1.0+cpu", DRY)
        self.assertEqual(
            answer.text.splitlines(), [f"would publish {LOCAL[0]}", "warning: version: it is a local one"]
        )
        self.assert_nothing()
        self.assertEqual(self.upload(FIRST, "1.0", "/legacy/?dry-run=0").text, f"published {FIRST[0]}\n")

    def test_dry_run_of_what_is_there(self) -> None:
        """The same bytes are known, others are refused, as they would be."""
        self.upload(FIRST, "1.0")
        self.assertIn("published already", self.upload(FIRST, "1.0", DRY).text)
        self.assertEqual(self.upload(OTHER, "1.0", DRY).status, 409)

    def test_dry_run_refuses_as_an_upload_does(self) -> None:
        """Status for status, and word for word."""
        self.upload(DEV, "1.0.dev1")
        self.upload(FIRST, "1.0")
        now(self.changes().remove("acme", "1.0"))
        for status in (Status.ACTIVE, Status.ARCHIVED):
            now(self.changes().set_status("acme", status, ""))
            for build, version, fields in [
                (OTHER, "1.0", {}),
                (FIRST, "2.0", {}),
                (FIRST, "1.0", {"sha256_digest": "0" * 64}),
                ((FIRST[0], b"no zip"), "1.0", {}),
                (wheel("acme", "3.0"), "3.0", {}),
            ]:
                dry = self.upload(build, version, DRY, **fields)
                if (status, version) == (Status.ACTIVE, "3.0"):
                    self.assertEqual(dry.status, 200)
                    continue
                answer = self.upload(build, version, **fields)
                self.assertEqual((answer.status, answer.reason), (dry.status, dry.reason))
                self.assertGreaterEqual(answer.status, 400)

    def test_dry_run_looks_at_what_comes_with_the_file(self) -> None:
        """Signatures and attestations are checked as well, and neither kept."""
        for fields in ({"gpg_signature": "x"}, {"attestations": "[{}]"}):
            answer = self.upload(FIRST, "1.0", **fields)
            dry = self.upload(FIRST, "1.0", DRY, **fields)
            self.assertEqual((dry.status, dry.reason), (answer.status, answer.reason))
            self.assertEqual(dry.status, 400)
        answer = self.upload(FIRST, "1.0", DRY, gpg_signature=SIGNATURE)
        self.assertEqual(answer.text, f"would publish {FIRST[0]}\n")
        self.assert_nothing()

    def test_dry_run_asks_who(self) -> None:
        """Who may not upload may not try either."""
        headers, body = upload_form(*FIRST, "acme", "1.0")
        self.assertEqual(self.site.request("POST", DRY, headers, body).status, 401)

    def test_dry_run_removes_nothing(self) -> None:
        """The other actions have no dry run."""
        self.upload(FIRST, "1.0")
        answer = self.upload(FIRST, "1.0", DRY, **{":action": "remove_pkg"})
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.page().status, 200)

    def test_overwrite(self) -> None:
        """Another file takes the place of one whose version may be overwritten: all that is shown changes."""
        self.make(OVERWRITE)
        self.upload(DEV, "1.0.dev1")
        url = f"/packages/acme/{DEV[0]}"
        before, page, metadata = self.site.get(url), self.page(), self.site.get(f"{url}.metadata")
        self.assertEqual(before.headers["Cache-Control"], "public, no-cache")
        self.assertEqual(metadata.headers["Cache-Control"], "public, no-cache")
        self.assertIn("would publish", self.upload(NEW_DEV, "1.0.dev1", DRY).text)
        self.assertEqual(self.site.get(url).body, DEV[1])
        answer = self.upload(NEW_DEV, "1.0.dev1")
        self.assertEqual(
            (answer.status, answer.text), (200, f"published {DEV[0]} in place of another file of that name\n")
        )
        after = self.site.get(url)
        self.assertEqual(after.body, NEW_DEV[1])
        self.assertNotEqual(after.headers["ETag"], before.headers["ETag"])
        self.assertNotEqual(self.page().headers["ETag"], page.headers["ETag"])
        self.assertIn(b"Requires-Dist: new", self.site.get(f"{url}.metadata").body)
        [file] = json.loads(self.page().body)["files"]
        self.assertEqual(f'"{file["hashes"]["sha256"]}"', after.headers["ETag"])
        self.assertEqual(self.site.get(url, If_None_Match=before.headers["ETag"]).status, 200)
        self.assertEqual(self.journal()[-2:], [f"remove file {DEV[0]}", f"add py3 file {DEV[0]}"])
        self.assertIn("published already", self.upload(NEW_DEV, "1.0.dev1").text)

    def test_overwrite_with_sidecars(self) -> None:
        """The old file's signature and provenance go with it; those that come with the new one are served."""
        self.make(OVERWRITE)
        url = f"/packages/acme/{DEV[0]}"
        for build, fields in (
            (DEV, {"gpg_signature": SIGNATURE, "attestations": json.dumps([attestation(*DEV)])}),
            (NEW_DEV, {}),
            (DEV, {"attestations": json.dumps([attestation(*DEV)])}),
            (NEW_DEV, {"gpg_signature": SIGNATURE}),
        ):
            self.assertEqual(self.upload(build, "1.0.dev1", **fields).status, 200)
            [file] = json.loads(self.page().body)["files"]
            self.assertEqual(file["gpg-sig"], "gpg_signature" in fields)
            for suffix, field in ((".asc", "gpg_signature"), (".provenance", "attestations")):
                answer = self.site.get(url + suffix)
                self.assertEqual(answer.status, 200 if field in fields else 404)
            self.assertEqual(self.site.get(url).body, build[1])

    def test_overwrite_of_others(self) -> None:
        """Versions without a pattern are for good, and so is everything without the option."""
        self.make(OVERWRITE)
        self.upload(FIRST, "1.0")
        self.assertEqual(self.upload(OTHER, "1.0").status, 409)
        self.assertIn("immutable", self.site.get(f"/packages/acme/{FIRST[0]}").headers["Cache-Control"])
        self.make()
        self.upload(DEV, "1.0.dev1")
        self.assertEqual(self.upload(NEW_DEV, "1.0.dev1").status, 409)

    def test_overwrite_of_what_was_removed(self) -> None:
        """A removed file is for good, whatever its version."""
        self.make(OVERWRITE)
        self.upload(DEV, "1.0.dev1")
        now(self.changes().remove("acme", "1.0.dev1"))
        for path in (DRY, "/legacy/"):
            answer = self.upload(NEW_DEV, "1.0.dev1", path)
            self.assertEqual(answer.status, 409)
            self.assertIn("File already exists", answer.reason)
        self.assertEqual(self.upload(DEV, "1.0.dev1").status, 200)

    def test_overwrite_in_projects_that_take_nothing(self) -> None:
        """Archived and quarantined projects take no other files either."""
        self.make(OVERWRITE)
        self.upload(DEV, "1.0.dev1")
        for status in (Status.ARCHIVED, Status.QUARANTINED):
            now(self.changes().set_status("acme", status, ""))
            answer = self.upload(NEW_DEV, "1.0.dev1")
            self.assertEqual(answer.status, 403)
            self.assertIn(status.value, answer.reason)

    def test_overwrite_race(self) -> None:
        """Who replaces a file that was replaced meanwhile is told so, and the other one stays."""
        third = wheel("acme", "1.0.dev1", payload=b"third")
        storage = Interrupted()
        self.site = MemorySite(storage=storage, rules=OVERWRITE)
        self.upload(DEV, "1.0.dev1")
        storage.rivals.append(lambda: self.upload(third, "1.0.dev1"))
        self.assertEqual(self.upload(NEW_DEV, "1.0.dev1").status, 409)
        self.assertEqual(self.site.get(f"/packages/acme/{DEV[0]}").body, third[1])

    def test_fault_c2_another_spelling(self) -> None:
        """It is told as the file that is there, also in a dry run."""
        self.make(UploadRules(overwrite=("*",), old_archives=frozenset({".zip"})))
        filename, content = sdist("acme", "1.0")
        self.assertEqual(self.upload((filename, content), "1.0").status, 200)
        for spelling in ("acme-1.tar.gz", "Acme-01.0.tar.gz"):
            for path in (DRY, "/legacy/"):
                answer = self.upload((spelling, content), "1.0", path)
                said = f"File already exists: {spelling} (it is {filename}, spelled otherwise)"
                self.assertEqual((answer.status, answer.reason), (409, said))
        now(self.changes().remove("acme", "1.0"))
        answer = self.upload(("acme-1.tar.gz", content), "1.0")
        said = f"File already exists: acme-1.tar.gz (it is {filename}, which was removed)"
        self.assertEqual((answer.status, answer.reason), (409, said))
        self.assertEqual(self.upload((filename, content), "1.0").status, 200)
        wheels = [FIRST[0], FIRST[0].replace("1.0", "1.0.0")]
        answers = [self.upload((name, FIRST[1]), "1.0") for name in wheels]
        self.assertEqual([answer.status for answer in answers], [200, 409])

    def test_fault_c2_another_spelling_that_comes_first(self) -> None:
        """Of two that are checked at the same time, one is published."""
        storage = Interrupted()
        self.site = MemorySite(storage=storage)
        filename, content = sdist("acme", "1.0")
        storage.rivals.append(lambda: self.upload(("acme-1.tar.gz", content), "1.0"))
        answer = self.upload((filename, content), "1.0")
        said = f"File already exists: {filename} (it is acme-1.tar.gz, spelled otherwise)"
        self.assertEqual((answer.status, answer.reason), (409, said))

    def test_fault_c4_a_second_sdist(self) -> None:
        """Strict rules refuse it, also if the first one comes while it is checked; others warn."""
        storage = Interrupted()
        self.site = MemorySite(storage=storage, rules=UploadRules(old_archives=frozenset({".zip"})))
        zipped = (
            "acme-1.0.zip",
            forgery.forge([forgery.Part("acme-1.0/PKG-INFO", core_metadata("acme", "1.0"))]),
        )
        sdist_of = sdist("acme", "1.0")
        said = "content: the release has an sdist already, acme-1.0.zip"
        index = self.site.index

        def rival() -> None:
            index.rules = evolve(index.rules, strict=False)
            self.assertEqual(self.upload(zipped, "1.0", filetype="sdist").status, 200)

        storage.rivals.append(rival)
        index.rules = UploadRules(strict=True, old_archives=frozenset({".zip"}))
        answer = self.upload(sdist_of, "1.0")
        self.assertEqual((answer.status, answer.reason), (400, said))
        self.assertEqual(self.upload(sdist_of, "1.0").text.splitlines()[1:], [f"warning: {said}"])

    def test_c143_reasons_are_clean_and_short(self) -> None:
        """Whatever was sent, the reason is printable and of 200 characters at most."""
        hidden = 'x; extra == "' + "\N{KELVIN SIGN}\r\nSet-Cookie: a" * 50
        for fields in ({"requires_dist": hidden}, {"metadata_version": hidden}, {"requires_python": hidden}):
            answer = self.upload(FIRST, "1.0", **fields)
            self.assertEqual(answer.status, 400)
            self.assertLessEqual(len(answer.reason), 200)
            self.assertTrue(answer.reason.isprintable())
            self.assertTrue(answer.text.startswith(answer.reason))
            self.assertNotIn("Set-Cookie", answer.headers)

    def test_overwrite_an_sdist(self) -> None:
        """A file that is replaced may be of any kind."""
        self.make(OVERWRITE)
        for payload in (b"one", b"two"):
            build = sdist("acme", "1.dev0", payload=payload)
            self.assertEqual(self.upload(build, "1.dev0").status, 200)
            self.assertEqual(self.site.get(f"/packages/acme/{build[0]}").body, build[1])

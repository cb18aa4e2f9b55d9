"""Signatures and attestations: uploaded, shown on pages and served, over real HTTP bytes in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest

from pypid.access.open import PrivateAccess
from pypid.errors import InvalidUpload
from pypid.formats.attestations import Attestation
from pypid.testing.builds import SIGNATURE, attestation, sdist, wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import publication
from pypid.testing.web import Answer, MemorySite, basic, multipart_form, upload_form

JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
CI = basic("ci", "secret")
PUBLIC_URL = "https://packages.example.org/index/"
WHEEL, CONTENT = wheel("acme-lib", "1.0")
URL = f"/packages/acme-lib/{WHEEL}"
ATTESTATIONS = json.dumps([attestation(WHEEL, CONTENT)])


class SidecarTestCase(Synchronous):
    public_url: str | None = PUBLIC_URL

    def setUp(self) -> None:
        self.site = MemorySite(public_url=self.public_url)

    def upload(self, filename: str = WHEEL, content: bytes = CONTENT, **fields: str) -> Answer:
        headers, body = upload_form(filename, content, "acme-lib", "1.0", **fields)
        return self.site.request("POST", "/legacy/", headers | CI, body)

    def publish(self, **fields: str) -> None:
        answer = self.upload(**fields)
        self.assertEqual(answer.status, 200, answer)

    def entry(self) -> dict[str, Any]:
        page = json.loads(self.site.get("/simple/acme-lib/", Accept=JSON).body)
        [file] = page["files"]
        return dict(file)

    def html(self) -> str:
        return self.site.get("/simple/acme-lib/", Accept=HTML).text


class SignatureTests(SidecarTestCase):
    def test_c137_a_signature_is_kept_shown_and_served(self) -> None:
        self.publish(gpg_signature=SIGNATURE)
        self.assertIs(self.entry()["gpg-sig"], True)
        self.assertIn('data-gpg-sig="true"', self.html())
        self.assertIs(json.loads(self.site.get("/pypi/acme-lib/json").body)["urls"][0]["has_sig"], True)
        for path in (f"{URL}.asc", f"/simple/acme-lib/{WHEEL}.asc"):
            answer = self.site.get(path)
            self.assertEqual((answer.status, answer.text), (200, SIGNATURE))
            self.assertEqual(answer.headers["Content-Type"], "application/pgp-signature")
            self.assertEqual(answer.headers["Cache-Control"], "public, no-cache")
            self.assertNotIn("Vary", answer.headers)
            self.assertEqual(self.site.get(path, If_None_Match=answer.headers["ETag"]).status, 304)
            head = self.site.request("HEAD", path)
            self.assertEqual((head.status, head.body), (200, b""))

    def test_c137_it_may_come_as_a_file_as_of_twine(self) -> None:
        headers, body = upload_form(WHEEL, CONTENT, "acme-lib", "1.0", gpg_signature=SIGNATURE)
        part = b'name="gpg_signature"'
        self.assertIn(part, body)
        body = body.replace(part, part + f'; filename="{WHEEL}.asc"'.encode())
        self.assertEqual(self.site.request("POST", "/legacy/", headers | CI, body).status, 200)
        self.assertEqual(self.site.get(f"{URL}.asc").text, SIGNATURE)

    def test_c67_every_link_says_whether_there_is_one(self) -> None:
        self.publish()
        self.assertIs(self.entry()["gpg-sig"], False)
        self.assertIn('data-gpg-sig="false"', self.html())
        answer = self.site.get(f"{URL}.asc")
        self.assertEqual((answer.status, answer.text), (404, "the file has no signature\n"))

    def test_what_is_no_signature_is_a_400(self) -> None:
        for text in ("signature", SIGNATURE * 2, SIGNATURE + "A" * 64 * 1024):
            answer = self.upload(gpg_signature=text)
            self.assertEqual(answer.status, 400)
            self.assertTrue(answer.reason.startswith("gpg_signature: "), answer.reason)
        self.assertEqual(self.site.get("/simple/acme-lib/").status, 404)

    def test_two_signatures_are_a_400(self) -> None:
        headers, body = upload_form(WHEEL, CONTENT, "acme-lib", "1.0", gpg_signature=SIGNATURE)
        _, other = multipart_form([("gpg_signature", SIGNATURE)])
        body = other.removesuffix(b"--\r\n").rpartition(b"--")[0] + body
        answer = self.site.request("POST", "/legacy/", headers | CI, body)
        self.assertEqual((answer.status, answer.reason[:14]), (400, "gpg_signature:"))

    def test_an_empty_field_is_none(self) -> None:
        self.publish(gpg_signature="", attestations="")
        self.assertIs(self.entry()["gpg-sig"], False)


class ProvenanceTests(SidecarTestCase):
    def test_c97_c136_attestations_are_served_as_provenance(self) -> None:
        self.publish(attestations=ATTESTATIONS)
        answer = self.site.get(f"{URL}.provenance")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, INTEGRITY))
        self.assertEqual(
            json.loads(answer.body),
            {
                "version": 1,
                "attestation_bundles": [
                    {
                        "publisher": {"kind": "pypid", "claims": {}, "uploader": "ci"},
                        "attestations": json.loads(ATTESTATIONS),
                    }
                ],
            },
        )
        self.assertEqual(answer.headers["Cache-Control"], "public, no-cache")
        etag = answer.headers["ETag"]
        self.assertEqual(self.site.get(f"{URL}.provenance", If_None_Match=etag).status, 304)
        for path in (
            f"/simple/acme-lib/{WHEEL}.provenance",
            f"/integrity/acme-lib/1.0/{WHEEL}/provenance",
            f"/integrity/Acme.Lib/v1.0/{WHEEL}/provenance",
        ):
            self.assertEqual(self.site.get(path).body, answer.body, path)

    def test_c52_pages_tell_where_it_is(self) -> None:
        self.publish(attestations=ATTESTATIONS)
        url = self.entry()["provenance"]
        self.assertEqual(url, f"{PUBLIC_URL}packages/acme-lib/{WHEEL}.provenance")
        self.assertIn(f'data-provenance="{url}"', self.html())
        self.assertEqual(self.site.get(urlsplit(url).path.removeprefix("/index")).status, 200)

    def test_c52_the_url_is_one_however_the_page_is_reached(self) -> None:
        self.publish(attestations=ATTESTATIONS)
        page = json.loads(self.site.get("/pypi/+simple/acme-lib/", Accept=JSON).body)
        self.assertEqual(page["files"][0]["provenance"], self.entry()["provenance"])

    def test_without_attestations_there_is_none(self) -> None:
        self.publish()
        self.assertNotIn("provenance", self.entry())
        self.assertNotIn("provenance", self.html())
        for path in (f"{URL}.provenance", f"/integrity/acme-lib/1.0/{WHEEL}/provenance"):
            answer = self.site.get(path)
            self.assertEqual((answer.status, answer.text), (404, "the file has no provenance\n"))

    def test_c97_media_types(self) -> None:
        self.publish(attestations=ATTESTATIONS)
        for accept, found in [
            (INTEGRITY, INTEGRITY),
            ("application/json", "application/json"),
            ("*/*", INTEGRITY),
            ("application/*;q=0.5", INTEGRITY),
            (f"application/json, {INTEGRITY};q=0.1", "application/json"),
        ]:
            answer = self.site.get(f"{URL}.provenance", Accept=accept)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, found), accept)
            self.assertEqual(answer.headers["Vary"], "Accept")
        for accept in ("text/html", f"{INTEGRITY};q=0"):
            self.assertEqual(self.site.get(f"{URL}.provenance", Accept=accept).status, 406)

    def test_files_that_are_not_there(self) -> None:
        self.publish(attestations=ATTESTATIONS, gpg_signature=SIGNATURE)
        other = WHEEL.replace("1.0", "1.1")
        for path in (
            f"/packages/acme-lib/{other}.asc",
            f"/packages/acme-lib/{other}.provenance",
            f"/packages/acme-lib/{WHEEL}.asc.asc",
            f"/packages/acme-lib/{WHEEL}.provenance.asc",
            "/packages/acme-lib/a.asc",
            f"/packages/other/{WHEEL}.provenance",
            f"/integrity/acme-lib/1.1/{WHEEL}/provenance",
            f"/integrity/acme-lib/x/{WHEEL}/provenance",
            f"/integrity/acme-lib/1.1/{other}/provenance",
            f"/integrity/other/1.0/{WHEEL}/provenance",
            f"/integrity/acme-lib/1.0/{WHEEL}",
        ):
            self.assertEqual(self.site.get(path).status, 404, path)

    def test_what_pages_do_not_tell_of_is_not_served(self) -> None:
        """As what somebody put beside a file that is no provenance at all."""
        staging = self.result(self.site.storage.stage())
        staging.write(CONTENT)
        self.result(staging.publish(publication(WHEEL, CONTENT, None, None, b"nonsense")))
        self.assertNotIn("provenance", self.entry())
        self.assertEqual(self.site.get(f"{URL}.provenance").status, 404)

    def test_what_is_wrong_is_a_400(self) -> None:
        other = json.dumps([attestation(*sdist("acme-lib", "1.0"))])
        for text in ("x", "[]", "[{}]", other, "[" + "9" * 300_000 + "]"):
            answer = self.upload(attestations=text)
            self.assertEqual(answer.status, 400)
            self.assertTrue(answer.reason.startswith("attestations: "), answer.reason)
        self.assertEqual(self.site.get("/simple/acme-lib/").status, 404)

    def test_the_same_file_again_changes_nothing(self) -> None:
        self.publish()
        self.publish(attestations=ATTESTATIONS, gpg_signature=SIGNATURE)
        self.assertEqual(self.site.get(f"{URL}.provenance").status, 404)
        self.assertIs(self.entry()["gpg-sig"], False)

    def test_c76_a_quarantined_project_offers_none(self) -> None:
        self.publish(attestations=ATTESTATIONS, gpg_signature=SIGNATURE)
        headers = {"Content-Type": "application/x-www-form-urlencoded", **CI}
        self.site.request("POST", "/project/acme-lib/status", headers, b"status=quarantined")
        for path in (f"{URL}.asc", f"{URL}.provenance", f"/integrity/acme-lib/1.0/{WHEEL}/provenance"):
            self.assertEqual(self.site.get(path).status, 404, path)

    def test_c104_who_may_not_read_files_sees_none(self) -> None:
        self.site = MemorySite(policy=PrivateAccess())
        self.publish(attestations=ATTESTATIONS, gpg_signature=SIGNATURE)
        for path, vary in [
            (f"{URL}.asc", "Authorization"),
            (f"{URL}.provenance", "Accept, Authorization"),
            (f"/integrity/acme-lib/1.0/{WHEEL}/provenance", "Accept, Authorization"),
        ]:
            self.assertEqual(self.site.get(path).status, 401, path)
            answer = self.site.get(path, **CI)
            self.assertEqual((answer.status, answer.headers["Vary"]), (200, vary))
            self.assertEqual(answer.headers["Cache-Control"], "private, no-cache")


class InsecureTests(SidecarTestCase):
    """Pages tell of provenance only where PEP 740 lets them: with an absolute URL of a secure origin."""

    public_url = None

    def assert_untold(self) -> None:
        self.publish(attestations=ATTESTATIONS)
        self.assertNotIn("provenance", self.entry())
        self.assertNotIn("provenance", self.html())
        self.assertEqual(self.site.get(f"{URL}.provenance").status, 200)

    def test_without_a_public_url(self) -> None:
        self.assert_untold()

    def test_without_tls(self) -> None:
        self.site = MemorySite(public_url="http://packages.example.org/")
        self.assert_untold()


class VerifyingTests(SidecarTestCase):
    def setUp(self) -> None:
        self.seen: list[Attestation] = []
        self.site = MemorySite(verify=self.verify)

    def verify(self, attestations: Sequence[Attestation]) -> None:
        self.seen += attestations
        if "good" not in attestations[0].document:
            raise InvalidUpload("attestations: number 1 does not verify")

    def test_c136_what_does_not_verify_is_a_400(self) -> None:
        answer = self.upload(attestations=ATTESTATIONS)
        self.assertEqual((answer.status, answer.reason), (400, "attestations: number 1 does not verify"))
        self.assertEqual(self.site.get("/simple/acme-lib/").status, 404)
        self.publish(attestations=json.dumps([attestation(WHEEL, CONTENT) | {"good": 1}]))
        self.assertEqual(self.site.get(f"{URL}.provenance").status, 200)

    def test_what_comes_without_attestations_need_not_verify(self) -> None:
        self.publish()
        self.assertEqual(self.seen, [])

    def test_only_what_is_well_formed_is_looked_at(self) -> None:
        self.upload(attestations="[{}]")
        self.assertEqual(self.seen, [])


@pytest.mark.parametrize("name", ["gpg_signature", "attestations"])
def test_unknown_fields_beside_them_are_passed_over(name: str) -> None:
    """C127: a field is what its whole name says."""
    site = MemorySite()
    headers, body = upload_form(WHEEL, CONTENT, "acme-lib", "1.0", **{f"{name}s": "x"})
    assert site.request("POST", "/legacy/", headers | CI, body).status == 200

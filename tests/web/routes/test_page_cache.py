"""Pages over real HTTP bytes in memory."""

import json
import re
from gzip import decompress as gunzip
from hashlib import sha256
from urllib.parse import urljoin

from attrs import define

from pypid.access.open import PrivateAccess
from pypid.model import Action, Principal, ProjectRecord, Role, Status
from pypid.testing.builds import wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.web import MemorySite, basic, upload_form
from pypid.upstream.memory import MemoryUpstream
from pypid.upstream.redirect import RedirectUpstream

JSON = "application/vnd.pypi.simple.v1+json"
VARY = "Accept, Accept-Encoding"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


@define
class _Secretive:
    """Lets anybody read but one project."""

    summary: str = "one project is for those who sign in"

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Permit it or not."""
        return principal is not None or (action is Action.READ and project != "secret")

    def visibility_key(self, principal: Principal | None) -> str | None:
        """Return different keys for users and strangers."""
        return "strangers" if principal is None else None


class PageTests(Synchronous):
    def setUp(self) -> None:
        self.site = MemorySite(upstreams=[RedirectUpstream("https://upstream.example.org/simple/")])

    def publish(self, name: str = "acme-lib", version: str = "1.0", **build: object) -> bytes:
        """Upload a wheel and return its bytes."""
        filename, content = wheel(name, version, **build)
        headers, body = upload_form(filename, content, name, version)
        answer = self.site.request("POST", "/legacy/", headers | basic("ci", "secret"), body)
        self.assertEqual(answer.status, 200, answer)
        return content

    def test_c1_the_index_lists_every_project_once(self) -> None:
        self.publish("acme-lib")
        self.publish("acme-lib", "1.1")
        self.publish("zebra")
        page = json.loads(self.site.get("/simple/", Accept=JSON).body)
        self.assertEqual([entry["name"] for entry in page["projects"]], ["acme-lib", "zebra"])

    def test_c3_one_identity_whatever_the_spelling(self) -> None:
        self.publish("Foo.Bar_Baz")
        page = json.loads(self.site.get("/simple/foo-bar-baz/", Accept=JSON).body)
        self.assertEqual(page["name"], "foo-bar-baz")
        self.assertEqual(
            [p["name"] for p in json.loads(self.site.get("/simple/", Accept=JSON).body)["projects"]],
            ["foo-bar-baz"],
        )

    def test_c4_c6_other_spellings_redirect_relatively_and_keep_the_query(self) -> None:
        answer = self.site.get("/simple/Foo_Bar/?format=x%2By")
        self.assertEqual((answer.status, answer.headers["Location"]), (301, "../foo-bar/?format=x%2By"))

    def test_c5_a_missing_slash_redirects(self) -> None:
        for path, location in [
            ("/simple/Foo.bar", "foo-bar/"),
            ("/simple", "simple/"),
            ("/simple?a=b", "simple/?a=b"),
        ]:
            answer = self.site.get(path)
            self.assertEqual((answer.status, answer.headers["Location"]), (301, location))

    def test_c7_what_is_not_here_is_a_temporary_redirect_upstream(self) -> None:
        answer = self.site.get("/simple/Requests/", Accept=PIP)
        self.assertEqual(answer.status, 301)
        answer = self.site.get("/simple/requests/", Accept=PIP)
        self.assertEqual(answer.status, 302)
        self.assertEqual(answer.headers["Location"], "https://upstream.example.org/simple/requests/")
        self.assertEqual(answer.headers["Cache-Control"], "no-cache")

    def test_fault_e7_files_that_are_not_here_are_too(self) -> None:
        """A file of a project that is not here, and what lies beside it, is where the project's page is."""
        for path in ("packages", "simple"):
            for filename in ("requests-1.0.tar.gz", "requests-1.0-py3-none-any.whl.metadata"):
                answer = self.site.get(f"/{path}/Requests/{filename}")
                self.assertEqual(answer.status, 302)
                location = f"https://upstream.example.org/simple/requests/{filename}"
                self.assertEqual(answer.headers["Location"], location)
                self.assertEqual(answer.headers["Cache-Control"], "no-cache")

    def test_fault_e7_t17_nobody_is_sent_anywhere_else(self) -> None:
        """No private name leaves, and no path leads to another host."""
        self.publish("acme-lib")
        for path in ("acme-lib/acme_lib-9.0.tar.gz", "requests/acme_lib-9.0.tar.gz", "requests/index.html"):
            self.assertEqual(self.site.get(f"/packages/{path}").status, 404)
        site = MemorySite(upstreams=[RedirectUpstream("https://upstream.example.org")], reserved=["acme*"])
        self.assertEqual(site.get("/packages/acme-lib/acme_lib-9.0.tar.gz").status, 404)
        for path in (
            "requests/..%2f..%2fevil.example",
            "requests/%0d%0aX:x",
            "%2f%2fevil.example/x-1.tar.gz",
        ):
            self.assertNotEqual(site.get(f"/packages/{path}").status, 302)

    def test_c8_c9_an_unknown_project_is_a_short_plain_404(self) -> None:
        answer = MemorySite().get("/simple/nowhere/", Accept=PIP)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (404, "text/plain; charset=utf-8"))
        self.assertIn("nowhere", answer.reason)

    def test_c11_doubled_slashes_lead_to_the_page(self) -> None:
        answer = self.site.get("/simple//foo-bar/?x=1")
        self.assertEqual((answer.status, answer.headers["Location"]), (301, "../../../simple/foo-bar/?x=1"))

    def test_c13_head_is_get_without_a_body(self) -> None:
        content = self.publish()
        for path in [
            "/",
            "/simple/",
            "/simple/acme-lib/",
            "/packages/acme-lib/acme_lib-1.0-py3-none-any.whl",
            "/packages/acme-lib/acme_lib-1.0-py3-none-any.whl.metadata",
            "/+health",
            "/nowhere/at/all",
        ]:
            get, head = self.site.get(path), self.site.request("HEAD", path)
            get.headers.pop("Date"), head.headers.pop("Date")
            self.assertEqual((get.status, get.headers), (head.status, head.headers), path)
            self.assertEqual(int(head.headers["Content-Length"]), len(get.body))
            self.assertEqual(head.body, b"")
        self.assertIn(content, get.body + content)

    def test_c14_other_methods_are_405_with_allow(self) -> None:
        for path in ["/simple/acme-lib/", "/+simple/acme-lib/", "/packages/"]:
            for method in ["PUT", "DELETE", "PATCH", "POST"]:
                answer = self.site.request(method, path)
                self.assertEqual(
                    (answer.status, "GET" in answer.headers["Allow"]), (405, True), (method, path)
                )

    def test_c18_to_c24_negotiation(self) -> None:
        self.publish()
        for accept, expected in [
            (JSON, JSON),
            (PIP, JSON),
            ("text/html", "text/html; charset=utf-8"),
            ("*/*", "text/html; charset=utf-8"),
            ("application/vnd.pypi.simple.latest+json", JSON),
        ]:
            answer = self.site.get("/simple/acme-lib/", Accept=accept)
            self.assertEqual((answer.headers["Content-Type"], answer.headers["Vary"]), (expected, VARY))
        answer = self.site.get("/simple/acme-lib/?format=application/vnd.pypi.simple.v1%2Bjson")
        self.assertEqual(answer.headers["Content-Type"], JSON)

    def test_c26_nothing_acceptable_is_406(self) -> None:
        self.publish()
        answer = self.site.get("/simple/acme-lib/", Accept="application/vnd.pypi.simple.v2+json")
        self.assertEqual((answer.status, answer.headers["Vary"]), (406, "Accept"))

    def test_c40_to_c47_a_file_on_the_page(self) -> None:
        content = self.publish(requires_python=">=3.8")
        (file,) = json.loads(self.site.get("/simple/acme-lib/", Accept=JSON).body)["files"]
        metadata = self.site.get("/packages/acme-lib/acme_lib-1.0-py3-none-any.whl.metadata")
        self.assertEqual(metadata.status, 200)
        self.assertEqual(
            file,
            {
                "filename": "acme_lib-1.0-py3-none-any.whl",
                "url": "../../packages/acme-lib/acme_lib-1.0-py3-none-any.whl",
                "hashes": {"sha256": sha256(content).hexdigest()},
                "size": len(content),
                "upload-time": "2026-11-20T12:00:00Z",
                "requires-python": ">=3.8",
                "core-metadata": {"sha256": sha256(metadata.body).hexdigest()},
                "gpg-sig": False,
                "yanked": False,
            },
        )

    def test_c99_to_c102_pages_revalidate(self) -> None:
        self.publish()
        first = self.site.get("/simple/acme-lib/", Accept=JSON)
        self.assertEqual(first.headers["Cache-Control"], "no-cache")
        etag = first.headers["ETag"]
        self.assertTrue(etag.startswith('"'))
        for form in [etag, f'"a",{etag}', f'"a", {etag}', f"W/{etag}", "*"]:
            again = self.site.get("/simple/acme-lib/", Accept=JSON, If_None_Match=form)
            self.assertEqual((again.status, again.body, again.headers["ETag"]), (304, b"", etag))
            self.assertEqual((again.headers["Vary"], again.headers["Cache-Control"]), (VARY, "no-cache"))
        self.assertNotEqual(self.site.get("/simple/acme-lib/").headers["ETag"], etag)
        self.publish(version="2.0")
        self.assertEqual(self.site.get("/simple/acme-lib/", Accept=JSON, If_None_Match=etag).status, 200)

    def test_c35_c177_serials(self) -> None:
        """The last serial is on both pages and in their headers, and grows with each change."""
        self.publish("zebra")
        self.publish()
        serials = []
        for version in ["1.1", "1.2"]:
            answer = self.site.get("/simple/acme-lib/", Accept=JSON)
            index = self.site.get("/simple/", Accept=JSON)
            serial = int(answer.headers["X-Pypi-Last-Serial"])
            self.assertEqual(json.loads(answer.body)["meta"]["_last-serial"], serial)
            self.assertEqual(self.site.get("/simple/acme-lib/").headers["X-Pypi-Last-Serial"], str(serial))
            listed = {p["name"]: p["_last-serial"] for p in json.loads(index.body)["projects"]}
            self.assertEqual(listed["acme-lib"], serial)
            self.assertLess(listed["zebra"], serial)
            self.assertEqual(int(index.headers["X-Pypi-Last-Serial"]), serial)
            self.assertEqual(json.loads(index.body)["meta"]["_last-serial"], serial)
            again = self.site.get("/simple/acme-lib/", Accept=JSON, If_None_Match=answer.headers["ETag"])
            self.assertEqual((again.status, again.headers["X-Pypi-Last-Serial"]), (304, str(serial)))
            serials.append(serial)
            self.publish("acme-lib", version)
        self.assertLess(*serials)

    def test_c181_gzip(self) -> None:
        """Pages come compressed for those who ask for it, as representations of their own."""
        self.publish()
        for path in ["/simple/", "/simple/acme-lib/", "/packages/", "/+simple/acme-lib/"]:
            plain = self.site.get(path, Accept_Encoding="identity")
            self.assertNotIn("Content-Encoding", plain.headers)
            self.assertEqual(self.site.get(path).body, plain.body)
            packed = self.site.get(path, Accept_Encoding="gzip, deflate")
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertEqual(gunzip(packed.body), plain.body)
            self.assertEqual(packed.headers["Vary"], plain.headers["Vary"])
            self.assertIn("Accept-Encoding", packed.headers["Vary"])
            self.assertNotEqual(packed.headers["ETag"], plain.headers["ETag"])
            self.assertTrue(packed.headers["ETag"].startswith('"'))
            again = self.site.get(path, Accept_Encoding="gzip", If_None_Match=packed.headers["ETag"])
            self.assertEqual((again.status, again.headers["ETag"]), (304, packed.headers["ETag"]))
            self.assertNotIn("Content-Encoding", again.headers)
            other = self.site.get(path, Accept_Encoding="gzip", If_None_Match=plain.headers["ETag"])
            self.assertEqual(other.status, 200)
            head = self.site.request("HEAD", path, {"Accept-Encoding": "gzip"})
            for headers in (head.headers, packed.headers):
                headers.pop("Date")
            self.assertEqual(head.headers, packed.headers)

    def test_c16_where_devpi_has_its_pages(self) -> None:
        """Hatch looks there for duplicates; the links lead to the files all the same."""
        content = self.publish()
        for root in ["/+simple", "/%2Bsimple", "/legacy/+simple", "/pypi/%2Bsimple"]:
            answer = self.site.get(f"{root}/acme-lib/")
            self.assertEqual(
                (answer.status, answer.headers["Content-Type"]), (200, "text/html; charset=utf-8")
            )
            (url,) = re.findall('href="([^"#]*)', answer.text)
            self.assertEqual(self.site.get(urljoin(f"{root}/acme-lib/", url)).body, content)
            self.assertEqual(self.site.get(f"{root}/Acme_Lib/").headers["Location"], "../acme-lib/")
            self.assertEqual(self.site.get(f"{root}/Acme_Lib").headers["Location"], "acme-lib/")
        self.assertEqual(MemorySite().get("/+simple/nowhere/").status, 404)

    def test_all_files_on_one_page(self) -> None:
        """For ``--find-links``: relative links with hashes, of all projects but the quarantined ones."""
        contents = [self.publish("zebra"), self.publish(), self.publish(version="2.0")]
        self.publish("bad")
        self.result(self.site.storage.amend_project("bad", ProjectRecord(Status.QUARANTINED)))
        self.assertEqual(self.site.get("/packages?a=b").headers["Location"], "packages/?a=b")
        answer = self.site.get("/packages/")
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        links = re.findall('href="([^"#]*)#sha256=([0-9a-f]*)"', answer.text)
        found = {sha: self.site.get(f"/packages/{url}").body for url, sha in links}
        self.assertEqual(found, {sha256(content).hexdigest(): content for content in contents})
        self.publish(version="3.0")
        self.assertIn("acme_lib-3.0", self.site.get("/packages/", If_None_Match=answer.headers["ETag"]).text)

    def test_all_files_that_one_may_see(self) -> None:
        """A file that a client may not read is not on its list, whoever asked before."""
        self.site = MemorySite(policy=_Secretive())
        self.publish("secret")
        self.publish("open")
        ci = self.site.request("GET", "/packages/", basic("ci", "secret"))
        self.assertIn("secret-1.0", ci.text)
        self.assertNotIn("secret", self.site.get("/packages/").text)
        self.assertIn("open-1.0", self.site.get("/packages/").text)
        self.assertEqual(ci.headers["Cache-Control"], "private, no-cache")

    def test_c53_c76_a_status_shows_at_once(self) -> None:
        self.publish()
        self.site.get("/simple/acme-lib/", Accept=JSON)
        record = ProjectRecord(Status.QUARANTINED, "it mines coins")
        self.result(self.site.storage.amend_project("acme-lib", record))
        page = json.loads(self.site.get("/simple/acme-lib/", Accept=JSON).body)
        self.assertEqual(page["project-status"], {"status": "quarantined", "reason": "it mines coins"})
        self.assertEqual(page["files"], [])
        self.assertIn('content="it mines coins"', self.site.get("/simple/acme-lib/").text)

    def test_a_page_is_rendered_once_while_nothing_changes(self) -> None:
        self.publish()
        self.site.get("/simple/acme-lib/")
        project = self.result(self.site.index.project("acme-lib"))
        self.assertIs(self.result(self.site.index.project("acme-lib")), project)

    def test_the_bare_host_leads_to_the_simple_pages(self) -> None:
        for path, location in [("/Foo_Bar/", "../simple/foo-bar/"), ("/Foo_Bar", "simple/foo-bar/")]:
            answer = self.site.get(path)
            self.assertEqual((answer.status, answer.headers["Location"]), (303, location))

    def test_small_pages(self) -> None:
        self.assertEqual(self.site.get("/+health").body, b"ok\n")
        self.assertEqual(self.site.get("/health").body, b"ok\n")
        self.assertIn("Disallow: /", self.site.get("/robots.txt").text)
        self.assertEqual(self.site.get("/favicon.ico").status, 404)
        self.assertIn("uploaded", self.site.get("/legacy/").text)
        self.assertEqual(self.site.get("/no/such/page").status, 404)

    def test_the_front_page_shows_the_lines_for_this_address(self) -> None:
        page = self.site.get("/").text
        self.assertIn("pip install --index-url http://127.0.0.1:8080/simple/ NAME", page)
        self.assertIn("twine upload --repository-url http://127.0.0.1:8080/legacy/ dist/*", page)
        self.assertNotIn("index.example.org", page)
        public = MemorySite(public_url="https://packages.example.org/pypi-internal/").get("/").text
        self.assertIn("https://packages.example.org/pypi-internal/simple/ NAME", public)

    def test_t01_a_local_project_hides_the_upstreams(self) -> None:
        upstream = MemoryUpstream([], failure="it was asked")
        self.site = MemorySite(upstreams=[upstream])
        self.publish()
        self.assertEqual(len(json.loads(self.site.get("/simple/acme-lib/", Accept=JSON).body)["files"]), 1)
        self.assertEqual(self.site.get("/simple/other/").status, 502)

    def test_t02_reserved_names_never_go_upstream(self) -> None:
        self.site = MemorySite(
            upstreams=[RedirectUpstream("https://upstream.example.org/")], reserved=["acme-*"]
        )
        self.assertEqual(self.site.get("/simple/acme-secret/").status, 404)
        self.assertEqual(self.site.get("/simple/other/").status, 302)

    def test_h_private_reading_needs_a_sign_in(self) -> None:
        self.site = MemorySite(policy=PrivateAccess())
        self.publish()
        for path in [
            "/",
            "/simple/",
            "/simple/acme-lib/",
            "/simple/nowhere/",
            "/packages/acme-lib/acme_lib-1.0-py3-none-any.whl",
        ]:
            stranger = self.site.get(path)
            self.assertEqual(
                (stranger.status, stranger.headers["WWW-Authenticate"][:5]), (401, "Basic"), path
            )
            self.assertEqual(self.site.request("GET", path, basic("ci", "wrong")).status, 401)
        page = self.site.request("GET", "/simple/acme-lib/", basic("ci", "secret"))
        self.assertEqual((page.status, page.headers["Cache-Control"]), (200, "private, no-cache"))
        self.assertEqual(page.headers["Vary"], f"{VARY}, Authorization")
        self.assertEqual(self.site.get("/+health").status, 200)

    def test_c117_wrong_credentials_show_on_public_pages(self) -> None:
        self.assertEqual(self.site.request("GET", "/simple/", basic("ci", "wrong")).status, 401)

    def test_t18_no_page_lacks_the_safe_headers(self) -> None:
        for path in ["/", "/simple/", "/nowhere/x/y", "/+health", "/simple/a%00b/"]:
            headers = self.site.get(path).headers
            self.assertEqual((headers["Server"], headers["X-Content-Type-Options"]), ("pypid", "nosniff"))
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])


class FileTests(Synchronous):
    def setUp(self) -> None:
        self.site = MemorySite()
        self.filename, self.content = wheel("acme-lib", "1.0+local.1", payload=bytes(range(256)) * 40)
        headers, body = upload_form(self.filename, self.content, "acme-lib", "1.0+local.1")
        self.assertEqual(self.site.request("POST", "/", headers | basic("ci", "secret"), body).status, 200)
        self.path = f"/packages/acme-lib/{self.filename}"

    def test_c80_to_c84_the_bytes_and_their_headers(self) -> None:
        answer = self.site.get(self.path, Accept_Encoding="gzip")
        self.assertEqual((answer.status, answer.body), (200, self.content))
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
        self.assertEqual(answer.headers["ETag"], f'"{sha256(self.content).hexdigest()}"')
        self.assertEqual(answer.headers["Cache-Control"], "public, max-age=31536000, immutable")
        self.assertEqual(answer.headers["Accept-Ranges"], "bytes")
        self.assertNotIn("Content-Encoding", answer.headers)

    def test_c183_an_encoded_plus_is_a_plus(self) -> None:
        self.assertIn("%2B", self.path.replace("+", "%2B"))
        self.assertEqual(self.site.get(self.path.replace("+", "%2B")).body, self.content)
        self.assertEqual(self.site.get(self.path.replace("/packages/", "/simple/")).body, self.content)

    def test_c85_to_c89_ranges(self) -> None:
        size = len(self.content)
        for header, start, stop in [
            ("bytes=5-9", 5, 10),
            ("bytes=5-", 5, size),
            ("bytes=-7", size - 7, size),
            (f"bytes=-{size + 5}", 0, size),
        ]:
            answer = self.site.get(self.path, Range=header)
            self.assertEqual((answer.status, answer.body), (206, self.content[start:stop]))
            self.assertEqual(answer.headers["Content-Range"], f"bytes {start}-{stop - 1}/{size}")
        past = self.site.get(self.path, Range=f"bytes={size}-")
        self.assertEqual((past.status, past.headers["Content-Range"]), (416, f"bytes */{size}"))
        for header in ["bytes=", "bytes=0-1,3-4", "bytes=+0-+3", "chars=1-2", "bytes=" + "0-," * 5000]:
            self.assertEqual(self.site.get(self.path, Range=header).body, self.content)
        etag = f'"{sha256(self.content).hexdigest()}"'
        self.assertEqual(self.site.get(self.path, Range="bytes=0-1", If_Range=etag).status, 206)
        self.assertEqual(self.site.get(self.path, Range="bytes=0-1", If_Range='"other"').status, 200)
        self.assertEqual(self.site.get(self.path, If_None_Match=etag).status, 304)

    def test_an_unknown_file_or_metadata_is_404(self) -> None:
        for path in [
            "/packages/acme-lib/acme_lib-9.0.tar.gz",
            "/packages/nowhere/x-1.0.tar.gz.metadata",
            "/packages/acme-lib/..htaccess",
            "/packages/acme-lib/.acme_lib-1.0.json",
        ]:
            self.assertEqual(self.site.get(path).status, 404, path)

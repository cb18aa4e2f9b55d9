"""Answers to old clients and mirrors, over real HTTP bytes in memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from xmlrpc.client import Fault, dumps, loads

from defusedxml.ElementTree import fromstring
from twisted.internet.defer import Deferred
from zope.interface import implementer

from pypid.access.open import PrivateAccess
from pypid.errors import StorageUnavailable
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Change, File, Principal, Project, Role, Status
from pypid.names import ArchiveKind
from pypid.testing.builds import core_metadata, sdist, wheel
from pypid.testing.fakes import HeldWorkers, Synchronous
from pypid.testing.web import Answer, MemorySite, basic, upload_form
from pypid.upstream.memory import MemoryUpstream
from pypid.upstream.redirect import RedirectUpstream
from pypid.web.routes import release_summaries

URL = "http://127.0.0.1:8080/"
CI = basic("ci", "secret")
XML = {"Content-Type": "text/xml"}
BOMB = b"""<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<methodCall><methodName>list_packages</methodName><params><param><value>&b;</value></param></params></methodCall>"""


class LegacyTestCase(Synchronous):
    """Has a site whose upstream must not be asked."""

    def setUp(self) -> None:
        self.site = MemorySite(upstreams=[MemoryUpstream([], failure="it was asked")])

    def publish(self, name: str = "acme-lib", version: str = "1.0", **build: Any) -> bytes:
        """Upload a wheel and return its bytes."""
        return self.upload(name, version, *wheel(name, version, **build))

    def upload(self, name: str, version: str, filename: str, content: bytes) -> bytes:
        headers, body = upload_form(filename, content, name, version)
        answer = self.site.request("POST", "/legacy/", headers | CI, body)
        self.assertEqual(answer.status, 200, answer)
        return content

    def change(self, path: str, body: bytes = b"") -> None:
        """Send a change."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **CI}
        self.assertEqual(self.site.request("POST", path, headers, body).status, 200)

    def json(self, path: str) -> Any:
        """Get a page of JSON."""
        answer = self.site.get(path)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"), answer)
        return json.loads(answer.body)


class JSONTests(LegacyTestCase):
    def test_c173_a_project_is_described(self) -> None:
        content = self.publish(requires_python=">=3.8", requires_dist=["requests>=2"])
        page = self.json("/pypi/acme-lib/json")
        self.assertEqual(page["info"]["summary"], "made for a test")
        self.assertEqual(page["info"]["requires_dist"], ["requests>=2"])
        (file,) = page["releases"]["1.0"]
        self.assertEqual([file], page["urls"])
        self.assertEqual(file["digests"], {"sha256": sha256(content).hexdigest()})
        self.assertEqual((file["size"], file["requires_python"]), (len(content), ">=3.8"))
        self.assertEqual(file["upload_time_iso_8601"], "2026-11-20T12:00:00Z")
        metadata = self.site.get(file["url"].removeprefix(URL[:-1]) + ".metadata")
        self.assertEqual(file["core-metadata"], {"sha256": sha256(metadata.body).hexdigest()})
        self.assertEqual(self.site.get(file["url"].removeprefix(URL[:-1])).body, content)

    def test_c173_a_release_is_described(self) -> None:
        self.publish(version="1.0")
        self.publish(version="2.0", requires_dist=["rich"])
        for path, version in [
            ("1.0", "1.0"),
            ("1", None),
            ("2.0", "2.0"),
            ("v2.0", "2.0"),
            ("2.0/json", None),
        ]:
            path = f"/pypi/acme-lib/{path}/json"
            if version is None:
                self.assertEqual(self.site.get(path).status, 404)
                continue
            page = self.json(path)
            self.assertEqual(page["info"]["version"], version)
            self.assertEqual(
                [file["filename"] for file in page["urls"]], [f"acme_lib-{version}-py3-none-any.whl"]
            )
            self.assertEqual(list(page["releases"]), ["1.0", "2.0"])
        self.assertEqual(self.json("/pypi/acme-lib/2.0/json")["info"]["requires_dist"], ["rich"])

    def test_a_trailing_slash_does_no_harm(self) -> None:
        self.publish()
        for path in ["/pypi/acme-lib/json", "/pypi/acme-lib/1.0/json"]:
            self.assertEqual(self.site.get(path).body, self.site.get(f"{path}/").body)

    def test_c173_other_spellings_redirect_relatively(self) -> None:
        for path, location in [
            ("/pypi/Acme_Lib/json", "../acme-lib/json"),
            ("/pypi/Acme_Lib/json/", "../../acme-lib/json"),
            ("/pypi/Acme_Lib/1.0+x%20y/json?a=b", "../../acme-lib/1.0+x%20y/json?a=b"),
            ("/pypi/Acme_Lib/1.0/json/", "../../../acme-lib/1.0/json"),
        ]:
            answer = self.site.get(path)
            self.assertEqual((answer.status, answer.headers["Location"]), (301, location))

    def test_c174_the_newest_final_release_is_shown(self) -> None:
        for version in ["1.0", "1.10", "1.9", "2.0rc1"]:
            self.publish(version=version)
        self.assertEqual(self.json("/pypi/acme-lib/json")["info"]["version"], "1.10")
        self.change("/project/acme-lib/1.10/yank", b"reason=broken")
        self.assertEqual(self.json("/pypi/acme-lib/json")["info"]["version"], "1.9")
        page = self.json("/pypi/acme-lib/1.10/json")
        self.assertEqual((page["info"]["yanked"], page["info"]["yanked_reason"]), (True, "broken"))
        self.assertEqual((page["urls"][0]["yanked"], page["urls"][0]["yanked_reason"]), (True, "broken"))

    def test_c177_the_serial_grows_with_each_change(self) -> None:
        serials = []
        for change in [
            lambda: self.publish(version="1.0"),
            lambda: self.publish(version="2.0"),
            lambda: self.change("/project/acme-lib/1.0/yank"),
            lambda: self.change("/project/acme-lib/1.0/unyank"),
            lambda: self.change("/project/acme-lib/status", b"status=archived"),
        ]:
            change()
            answer = self.site.get("/pypi/acme-lib/json")
            serials.append(int(answer.headers["X-Pypi-Last-Serial"]))
            self.assertEqual(json.loads(answer.body)["last_serial"], serials[-1])
        self.assertTrue(0 < serials[0] < serials[1] < serials[2] < serials[3] < serials[4], serials)

    def test_an_sdist_alone_is_described_without_its_metadata(self) -> None:
        self.upload("acme-lib", "1.0", *sdist("acme-lib", "1.0"))
        page = self.json("/pypi/acme-lib/json")
        self.assertEqual((page["info"]["version"], page["info"]["requires_dist"]), ("1.0", None))
        self.assertEqual(page["urls"][0]["packagetype"], "sdist")

    def test_what_is_upstream_is_described_from_its_page(self) -> None:
        """With the core metadata of its newest release, if that is to be had, and without a serial."""
        filename, content = wheel("requests", "2.0", requires_dist=["idna"])
        metadata = core_metadata("requests", "2.0", requires_dist=["idna"])
        digest = sha256(metadata).hexdigest()
        file = File(filename, "2.0", ArchiveKind.WHEEL, None, {}, None, None, core_metadata=digest, url=URL)
        since = datetime(2026, 11, 20, 12, tzinfo=UTC)
        project = Project("requests", "Requests", (file,), stale_since=since)
        upstream = MemoryUpstream([project], {filename: content}, metadatas={filename: metadata})
        self.site = MemorySite(upstreams=[upstream])
        for path in ["/pypi/requests/json", "/pypi/requests/2.0/json"]:
            answer = self.site.get(path)
            page = json.loads(answer.body)
            self.assertEqual((answer.status, page["last_serial"]), (200, 0))
            self.assertEqual(
                (page["info"]["version"], page["info"]["requires_dist"], page["urls"][0]["size"]),
                ("2.0", ["idna"], None),
            )
            self.assertEqual(page["urls"][0]["url"], f"{URL}packages/requests/{filename}")
            self.assertNotIn("X-Pypi-Last-Serial", answer.headers)
            self.assertEqual(answer.headers["X-Pypid-Stale"], "Fri, 20 Nov 2026 12:00:00 GMT")
        self.assertEqual(self.site.get("/pypi/requests/1.0/json").status, 404)
        upstream.failure = "no route to it"
        self.assertEqual(self.site.get("/pypi/requests/json").status, 502)

    def test_what_is_elsewhere_is_not_described(self) -> None:
        """Where clients are redirected, nobody has seen what is there."""
        self.site = MemorySite(upstreams=[RedirectUpstream("https://upstream.example.org/simple/")])
        for path in ["/pypi/requests/json", "/pypi/requests/1.0/json"]:
            self.assertEqual(self.site.get(path).status, 404)

    def test_a_quarantined_project_offers_nothing_and_says_so(self) -> None:
        """Mirrors that are told so take its files off their pages."""
        self.publish()
        self.change("/project/acme-lib/status", b"status=" + Status.QUARANTINED.value.encode())
        page = self.json("/pypi/acme-lib/json")
        self.assertEqual((page["releases"], page["urls"], page["info"]["summary"]), ({}, [], ""))
        self.assertEqual(self.site.get("/pypi/acme-lib/1.0/json").status, 404)

    def test_links_are_of_the_configuration_or_the_socket_and_not_of_the_client(self) -> None:
        self.publish()
        answer = self.site.get(
            "/pypi/acme-lib/json", Host="evil.example.org", X_Forwarded_Host="evil.example.org"
        )
        self.assertNotIn("evil", answer.text)
        self.assertIn(f"{URL}packages/acme-lib/", answer.text)
        self.site = MemorySite(storage=self.site.storage, public_url="https://pypi.example.org/")
        self.assertIn(
            "https://pypi.example.org/packages/acme-lib/", self.site.get("/pypi/acme-lib/json").text
        )

    def test_it_revalidates(self) -> None:
        self.publish()
        first = self.site.get("/pypi/acme-lib/json")
        again = self.site.get("/pypi/acme-lib/json", If_None_Match=first.headers["ETag"])
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(again.headers["X-Pypi-Last-Serial"], first.headers["X-Pypi-Last-Serial"])
        self.publish(version="2.0")
        again = self.site.get("/pypi/acme-lib/json", If_None_Match=first.headers["ETag"])
        self.assertEqual(again.status, 200)

    def test_what_cannot_be_read_is_left_out(self) -> None:
        """A broken file is no reason to show nothing."""
        self.publish()
        before = self.json("/pypi/acme-lib/json")

        async def broken(*_: object) -> bytes:
            raise StorageUnavailable("the disk is broken")

        self.patch(type(self.site.storage), "sidecar", broken)
        page = self.json("/pypi/acme-lib/json")
        self.assertEqual((page["info"]["summary"], page["urls"]), ("", before["urls"]))
        self.assertIn("acme-lib 1.0", self.site.get("/rss/updates.xml").text)

    def test_fault_c5_folded_values_are_one_line(self) -> None:
        """In JSON, on the project's page and in feeds, however the metadata has them."""
        folded = core_metadata("acme-lib", "1.0").replace(b"made for", b"made\r\n        for")
        folded += b"Requires-Python: >=3.8,\n        <4\nAuthor: Zo\xc3\xab\n  and others\n"
        self.publish(metadata=folded)
        info = self.json("/pypi/acme-lib/json")["info"]
        self.assertEqual((info["summary"], info["author"]), ("made for a test", "Zoë and others"))
        self.assertEqual(info["requires_python"], ">=3.8, <4")
        page = self.site.get("/simple/acme-lib/", Accept="text/html").text
        self.assertIn('data-requires-python="&gt;=3.8, &lt;4"', page)
        self.assertIn("made for a test", self.site.get("/rss/updates.xml").text)
        # But the metadata themselves are what was uploaded.
        path = f"/packages/acme-lib/{wheel('acme-lib', '1.0')[0]}.metadata"
        self.assertEqual(self.site.get(path).body, folded)

    def test_what_is_no_name_is_no_page(self) -> None:
        for path in [
            "/pypi/-x/json",
            "/pypi/a%00/json",
            "/pypi/%C3%A4/json",
            "/pypi/json",
        ]:
            self.assertIn(self.site.get(path).status, (400, 404), path)
        self.assertEqual(self.site.request("POST", "/pypi/acme-lib/json").status, 405)


class CallTests(LegacyTestCase):
    def post(self, body: bytes, path: str = "/pypi", **headers: str) -> Answer:
        return self.site.request("POST", path, XML | headers, body)

    def call(self, method: str, *params: Any, path: str = "/pypi") -> Any:
        """Call a method, and return what it answers, or raise its fault."""
        answer = self.post(dumps(params, method, allow_none=True).encode(), path)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/xml; charset=utf-8"))
        return loads(answer.body)[0][0]

    def fault(self, method: str, *params: Any) -> int:
        with self.assertRaises(Fault) as caught:
            self.call(method, *params)
        return caught.exception.faultCode

    def test_fault_b1_a_journal_that_cannot_be_read_is_not_an_empty_one(self) -> None:
        """A mirror that heard of no changes would go on from there; so would the reader of a feed."""
        self.publish()

        def broken(*_: object, **__: object) -> Any:
            raise StorageUnavailable("the journal cannot be read now")

        for name in ("changes", "latest"):
            self.patch(type(self.site.index.catalog), name, broken)
        body = dumps((0,), "changelog_since_serial").encode()
        for answer in (self.post(body, "/pypi"), self.site.get("/rss/updates.xml")):
            self.assertEqual(answer.status, 503)
            self.assertIn("Retry-After", answer.headers)

    def test_it_is_spoken_at_each_address_of_old(self) -> None:
        self.publish()
        for path in ["/pypi", "/pypi/", "/RPC2"]:
            self.assertEqual(self.call("list_packages", path=path), ["acme-lib"])

    def test_c175_what_pip_search_sends_finds_names_and_summaries(self) -> None:
        self.publish("acme-lib")
        self.publish("acme-lib", "2.0")
        self.publish("Zebra.Lib")
        hit = {"name": "acme-lib", "version": "2.0", "summary": "made for a test", "_pypi_ordering": 0}
        self.assertEqual(self.call("search", {"name": ["ACME"], "summary": ["ACME"]}, "or"), [hit])
        zebra = {"name": "Zebra.Lib", "version": "1.0", "summary": "made for a test", "_pypi_ordering": 0}
        self.assertEqual(self.call("search", {"name": "bra_l", "summary": "bra_l"}, "or"), [zebra])
        self.assertEqual(self.call("search", {"name": "zeb", "summary": "Made For"}, "or"), [zebra, hit])
        self.assertEqual(self.call("search", {"name": "zeb", "summary": "made for"}), [zebra])
        self.assertEqual(self.call("search", {"summary": ["none", "test"]}), [hit, zebra])
        self.assertEqual(self.call("search", {"name": "lib", "summary": "none"}), [])
        self.assertEqual(self.call("search", {"name": ["zeb", ""]}), [zebra])
        for nothing in [{}, {"name": ""}, {"name": []}, {"author": "acme"}]:
            self.assertEqual(self.call("search", nothing), [])
            self.assertEqual(self.call("search", nothing, "or"), [])

    def test_c175_a_search_sees_what_changed_since_the_last_one(self) -> None:
        self.publish()
        self.assertEqual(self.call("search", {"name": "acme"})[0]["version"], "1.0")
        self.publish(version="2.0")
        self.assertEqual(self.call("search", {"name": "acme"})[0]["version"], "2.0")
        self.change("/project/acme-lib/status", b"status=quarantined")
        self.assertEqual(self.call("search", {"name": "acme"}), [])

    def test_a_search_reads_no_more_than_its_share(self) -> None:
        """What it did not get to is for the next one; names are found at once."""
        for name in ["a", "b", "c", "d"]:
            self.publish(name)
        self.patch(release_summaries, "MAX_READ", 2)
        names = [hit["name"] for hit in self.call("search", {"name": "d", "summary": "test"}, "or")]
        self.assertEqual(names, ["d", "a"])
        names = [hit["name"] for hit in self.call("search", {"name": "d", "summary": "test"}, "or")]
        self.assertEqual(names, ["d", "a", "b", "c"])
        self.patch(release_summaries, "MAX_HITS", 1)
        self.assertEqual(len(self.call("search", {"summary": "test"})), 1)

    def test_c175_an_unknown_method_is_a_fault(self) -> None:
        for method in ["top_packages", "system.listMethods", "__class__", "answer"]:
            self.assertEqual(self.fault(method), -32601)

    def test_wrong_arguments_are_a_fault(self) -> None:
        for method, *params in [
            ("search",),
            ("search", "acme"),
            ("search", {"name": 1}),
            ("search", {"name": [1]}),
            ("search", {"name": "a"}, "xor"),
            ("search", {"name": "a"}, ["or"]),
            ("list_packages", 1),
            ("package_releases",),
            ("package_releases", ["a"]),
            ("release_urls", "a"),
            ("release_urls", "a", 1.0),
            ("release_data", None, "1.0"),
            ("changelog_since_serial",),
            ("changelog_since_serial", "1"),
            ("changelog_since_serial", 1.5),
        ]:
            self.assertEqual(self.fault(method, *params), -32602, (method, params))

    def test_t44_what_is_no_call_is_a_fault(self) -> None:
        for body in [b"x", b"<a/>", BOMB, dumps((1,), methodresponse=True).encode()]:
            answer = self.post(body)
            self.assertEqual(answer.status, 200)
            with self.assertRaises(Fault) as caught:
                loads(answer.body)
            self.assertEqual(caught.exception.faultCode, -32700)

    def test_t44_a_long_body_is_refused(self) -> None:
        self.assertEqual(self.post(b"<a>" + b" " * 64 * 1024).status, 413)

    def test_without_a_body_of_xml_there_is_no_call(self) -> None:
        self.assertEqual(self.site.request("POST", "/RPC2").status, 415)

    def test_package_releases(self) -> None:
        for version in ["1.0", "1.10", "2.0rc1"]:
            self.publish(version=version)
        self.assertEqual(self.call("package_releases", "Acme_Lib"), ["1.10"])
        self.assertEqual(self.call("package_releases", "acme-lib", True), ["2.0rc1", "1.10", "1.0"])
        for name in ["requests", "no name", ""]:
            self.assertEqual(self.call("package_releases", name, True), [])

    def test_release_urls(self) -> None:
        content = self.publish()
        self.upload("acme-lib", "1.0", *sdist("acme-lib", "1.0"))
        built, source = self.call("release_urls", "Acme.Lib", "1.0")
        self.assertEqual((source["packagetype"], source["python_version"]), ("sdist", "source"))
        self.assertEqual(built["url"], f"{URL}packages/acme-lib/acme_lib-1.0-py3-none-any.whl")
        self.assertEqual(built["sha256_digest"], sha256(content).hexdigest())
        self.assertEqual(self.call("release_urls", "acme-lib", "v1.0"), [built, source])
        for release in [("acme-lib", "2.0"), ("requests", "1.0")]:
            self.assertEqual(self.call("release_urls", *release), [])

    def test_release_data(self) -> None:
        self.publish(requires_dist=["requests"])
        data = self.call("release_data", "acme-lib", "1.0")
        self.assertEqual((data["name"], data["version"]), ("acme-lib", "1.0"))
        self.assertEqual((data["summary"], data["requires_dist"]), ("made for a test", ["requests"]))
        for release in [("acme-lib", "2.0"), ("requests", "1.0")]:
            self.assertEqual(self.call("release_data", *release), {})

    def test_c176_serials_and_the_journal(self) -> None:
        self.assertEqual(self.call("list_packages_with_serial"), {})
        self.publish("acme-lib")
        self.publish("zebra")
        serials = self.call("list_packages_with_serial")
        last = self.call("changelog_last_serial")
        self.assertEqual(list(serials), ["acme-lib", "zebra"])
        self.assertTrue(0 < serials["acme-lib"] < serials["zebra"] == last)
        rows = self.call("changelog_since_serial", 0)
        self.assertEqual([row[4] for row in rows], sorted(row[4] for row in rows))
        self.assertEqual({row[0] for row in rows}, {"acme-lib", "zebra"})
        self.assertEqual(self.call("changelog_since_serial", last), [])
        self.publish("acme-lib", "2.0")
        changed = self.call("changelog_since_serial", last)
        self.assertEqual({row[0] for row in changed}, {"acme-lib"})
        self.assertTrue(all(isinstance(row[2], int) and row[4] > last for row in changed))
        self.assertEqual({row[1] for row in changed}, {"2.0"})
        self.assertEqual(len(self.call("changelog_since_serial", -5)), len(rows) + len(changed))

    def test_serials_beyond_all_numbers_do_not_get_to_the_catalog(self) -> None:
        asked = []

        async def changes(_: object, since: int, limit: int) -> list[Change]:
            asked.append((since, limit))
            return []

        self.patch(type(self.site.catalog), "changes", changes)
        for serial in ["-" + "9" * 40, "0", "2147483647", "9" * 40]:
            call = dumps((5,), "changelog_since_serial").replace(">5<", f">{serial}<")
            self.assertEqual(loads(self.post(call.encode()).body)[0][0], [])
        self.assertEqual(asked, [(0, 50_000), (0, 50_000), (2**31 - 1, 50_000), (2**31 - 1, 50_000)])


class FeedTests(LegacyTestCase):
    def items(self, path: str) -> list[dict[str, str]]:
        answer = self.site.get(path)
        self.assertEqual(
            (answer.status, answer.headers["Content-Type"]), (200, "application/rss+xml; charset=utf-8")
        )
        return [{child.tag: child.text for child in item} for item in fromstring(answer.body).iter("item")]

    def titles(self, path: str) -> list[str]:
        return [item["title"] for item in self.items(path)]

    def test_c178_newest_releases_come_first(self) -> None:
        for name, version in [("Acme.Lib", "1.0"), ("zebra", "1.0"), ("Acme.Lib", "2.0")]:
            self.publish(name, version)
        self.upload("zebra", "1.0", *sdist("zebra", "1.0"))
        self.assertEqual(self.titles("/rss/updates.xml"), ["Acme.Lib 2.0", "zebra 1.0", "Acme.Lib 1.0"])
        first = self.items("/rss/updates.xml")[0]
        self.assertEqual(first["link"], f"{URL}simple/acme-lib/")
        self.assertEqual(first["description"], "made for a test")
        self.assertRegex(first["pubDate"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_c178_newest_projects_come_first(self) -> None:
        for name, version in [("Acme.Lib", "1.0"), ("zebra", "1.0"), ("Acme.Lib", "2.0")]:
            self.publish(name, version)
        self.assertEqual(self.titles("/rss/packages.xml"), ["zebra", "Acme.Lib"])

    def test_what_is_not_offered_any_more_is_not_told_of(self) -> None:
        for name, version in [("acme-lib", "1.0"), ("acme-lib", "2.0"), ("zebra", "1.0")]:
            self.publish(name, version)
        removed = self.site.request("DELETE", "/packages/acme-lib/acme_lib-2.0-py3-none-any.whl", CI)
        self.assertEqual(removed.status, 200)
        self.change("/project/zebra/status", b"status=quarantined")
        self.assertEqual(self.titles("/rss/updates.xml"), ["acme-lib 1.0"])
        self.assertEqual(self.titles("/rss/packages.xml"), ["acme-lib"])

    def test_what_was_removed_and_came_back_is_told_of_once(self) -> None:
        self.publish()
        self.site.request("DELETE", "/packages/acme-lib/acme_lib-1.0-py3-none-any.whl", CI)
        self.publish()
        self.assertEqual(self.titles("/rss/updates.xml"), ["acme-lib 1.0"])

    def test_a_feed_revalidates(self) -> None:
        self.publish()
        etag = self.site.get("/rss/updates.xml").headers["ETag"]
        self.assertEqual(self.site.get("/rss/updates.xml", If_None_Match=etag).status, 304)


@implementer(IAccessPolicy)
class OneSecret:
    """Lets anybody see all projects but one, and remembers what it was asked."""

    summary = "one project is secret"

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        self.asked.append(project)
        return action is not Action.READ or project != "secret"

    def visibility_key(self, principal: Principal | None) -> str:
        return "all but one"


class PolicyTests(LegacyTestCase):
    """What the policy says of a project holds here too."""

    def setUp(self) -> None:
        self.policy = OneSecret()
        self.site = MemorySite(policy=self.policy)

    def test_calls_about_a_project_are_asked_for_permission(self) -> None:
        self.publish("secret")
        for method, *params in [
            ("package_releases", "Secret"),
            ("release_urls", "secret", "1.0"),
            ("release_data", "secret", "9"),
        ]:
            answer = self.site.request("POST", "/RPC2", XML, dumps(tuple(params), method).encode())
            self.assertEqual(answer.status, 401)
        self.assertEqual(self.site.get("/pypi/secret/1.0/json").status, 401)

    def test_what_is_no_name_gets_no_further(self) -> None:
        for name in ["..", "../acme", "a/b", "a\x7fb", "ä", ""]:
            call = dumps((name,), "package_releases")
            answer = self.site.request("POST", "/RPC2", XML, call.encode())
            self.assertEqual(loads(answer.body)[0], ([],))
        self.assertEqual(set(self.policy.asked), {None})


class SummaryTests(LegacyTestCase):
    def test_a_reading_from_before_a_change_does_not_serve_after_it(self) -> None:
        self.publish(version="1.0")
        index, workers = self.site.index, self.site.index.workers
        readings = release_summaries.ReleaseSummaries(index)
        before = self.result(index.projects())["acme-lib"]
        index.workers = held = HeldWorkers()
        early = Deferred.fromCoroutine(readings.summary("acme-lib", before))
        index.workers = workers
        self.publish(version="2.0")
        after = self.result(index.projects())["acme-lib"]
        self.assertEqual(self.result(readings.summary("acme-lib", after)).version, "2.0")
        held.work_all()
        self.assertEqual(self.successResultOf(early).version, "1.0")
        self.assertEqual(self.result(readings.summary("acme-lib", after)).version, "2.0")


class PrivateTests(LegacyTestCase):
    """Where reading needs a sign-in, these pages do too."""

    def setUp(self) -> None:
        self.site = MemorySite(policy=PrivateAccess())
        self.publish()

    def test_h_strangers_are_asked_who_they_are(self) -> None:
        for path in ["/pypi/acme-lib/json", "/pypi/nowhere/json", "/rss/updates.xml", "/rss/packages.xml"]:
            self.assertEqual(self.site.get(path).status, 401, path)
            answer = self.site.request("GET", path, CI)
            self.assertEqual(answer.status, 404 if "nowhere" in path else 200)
            if answer.status == 200:
                self.assertEqual(answer.headers["Cache-Control"], "private, no-cache")
                self.assertEqual(answer.headers["Vary"], "Authorization")

    def test_h_strangers_may_call_nothing(self) -> None:
        body = dumps((), "list_packages").encode()
        for path in ["/pypi", "/RPC2"]:
            self.assertEqual(self.site.request("POST", path, XML, body).status, 401)
            answer = self.site.request("POST", path, XML | CI, body)
            self.assertEqual(loads(answer.body)[0], (["acme-lib"],))

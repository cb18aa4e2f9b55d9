"""Uploads: decisions by the head, decisions by the form, and leftovers."""

import json
from typing import Any

from pypid.errors import OutOfSpace
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.fakes import HeldWorkers, Synchronous
from pypid.testing.inline import InlineStaged, InlineStorage
from pypid.testing.web import Answer, MemorySite, basic, multipart_form, upload_form

CI = basic("ci", "secret")


class WatchedStorage(InlineStorage):
    """A memory storage that counts what is staged, and may be full."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self.stagings: list[WatchedStaging] = []
        self.full = False

    @property
    def staged(self) -> int:
        return sum(not staging.ended for staging in self.stagings)

    async def stage(self) -> Any:
        self.stagings.append(WatchedStaging(await super().stage(), self))
        return self.stagings[-1]


class WatchedStaging:
    """Passes everything on, and knows whether it was ended."""

    def __init__(self, staging: InlineStaged, storage: WatchedStorage) -> None:
        self._staging, self._storage = staging, storage
        self.ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._staging, name)

    def write(self, data: bytes) -> None:
        if self._storage.full:
            raise OutOfSpace("the disk is full")
        self._staging.write(data)

    async def discard(self) -> None:
        self.ended = True
        await self._staging.discard()


JSON = "application/vnd.pypi.simple.v1+json"


class UploadTests(Synchronous):
    def setUp(self) -> None:
        self.storage = WatchedStorage()
        self.site = MemorySite(storage=self.storage)

    def upload(self, filename: str, content: bytes, name: str, version: str, **fields: str) -> Answer:
        headers, body = upload_form(filename, content, name, version, **fields)
        return self.site.request("POST", "/legacy/", headers | CI, body)

    def listed(self, project: str = "acme") -> list[str]:
        answer = self.site.get(f"/simple/{project}/", Accept=JSON)
        return [file["filename"] for file in json.loads(answer.body)["files"]] if answer.status == 200 else []

    def test_c118_c119_every_upload_url_publishes(self) -> None:
        for minor, path in enumerate(["/", "/legacy/", "/legacy", "/simple/", "/simple", "/pypi", "/pypi/"]):
            version = f"1.{minor}"
            headers, body = upload_form(*wheel("acme", version), "acme", version)
            answer = self.site.request("POST", path, headers | CI, body)
            self.assertEqual((answer.status, answer.reason), (200, "OK"), path)
            self.assertIn(f"acme-{version}-py3-none-any.whl", self.listed())

    def test_an_sdist(self) -> None:
        self.assertEqual(
            self.upload(*sdist("Acme.Lib", "2.0", requires_python=">=3.9"), "Acme.Lib", "2.0").status, 200
        )
        page = json.loads(self.site.get("/simple/acme-lib/", Accept=JSON).body)
        self.assertEqual(page["files"][0]["requires-python"], ">=3.9")
        self.assertNotIn("core-metadata", page["files"][0])

    def test_c144_the_same_bytes_again_change_nothing(self) -> None:
        build = wheel("acme", "1.0")
        self.upload(*build, "acme", "1.0")
        etag = self.site.get("/simple/acme/").headers["ETag"]
        self.assertEqual(self.upload(*build, "acme", "1.0").status, 200)
        self.assertEqual(self.site.get("/simple/acme/").headers["ETag"], etag)

    def test_c145_c146_other_bytes_are_a_conflict_told_in_both_places(self) -> None:
        self.upload(*wheel("acme", "1.0"), "acme", "1.0")
        answer = self.upload(*wheel("acme", "1.0", payload=b"x"), "acme", "1.0")
        self.assertEqual(answer.status, 409)
        self.assertIn("File already exists", answer.reason)
        self.assertIn("File already exists", answer.text)

    def test_t09_a_wrong_digest_stores_nothing(self) -> None:
        answer = self.upload(*wheel("acme", "1.0"), "acme", "1.0", sha256_digest="0" * 64)
        self.assertEqual((answer.status, self.listed()), (400, []))
        self.assertIn("sha256_digest", answer.reason)

    def test_k_fields_file_name_and_archive_must_agree(self) -> None:
        filename, content = wheel("acme", "1.0")
        other = wheel("other", "1.0")[1]
        for fields, said in [
            ({"name": "other"}, "name"),
            ({"version": "2.0"}, "version"),
            ({"filetype": "sdist"}, "filetype"),
            ({"protocol_version": "2"}, "protocol_version"),
            ({"name": "a/b"}, "name"),
            ({"version": "x"}, "version"),
            ({"requires_python": "nonsense"}, "requires_python"),
            ({"requires_dist": "no requirement"}, "requires_dist"),
            ({"requires_dist": "a; " + "(" * 5000}, "requires_dist"),
            ({"pyversion": ""}, "pyversion"),
        ]:
            answer = self.upload(filename, content, **{"name": "acme", "version": "1.0"} | fields)
            self.assertEqual((answer.status, answer.text.split(":")[0]), (400, said), fields)
        self.assertEqual(self.upload(filename, other, "acme", "1.0").status, 400)
        self.assertEqual(self.upload("acme-1.0.tar.gz", b"no archive", "acme", "1.0").status, 400)
        self.assertEqual(
            self.upload("acme-1.0-py3.11.egg", b"", "acme", "1.0", filetype="bdist_egg").status, 400
        )
        self.assertEqual(self.listed(), [])

    def test_t12_dangerous_file_names(self) -> None:
        for filename in [
            "../../a-1.tar.gz",
            "a-1.tar.gz\\x",
            "a-1-py3-none-<img>.whl",
            ".a-1.tar.gz",
            "a" * 300 + "-1.tar.gz",
        ]:
            self.assertEqual(self.upload(filename, b"", "a", "1").status, 400, filename)

    def test_c140_other_actions(self) -> None:
        for action, status in [
            ("submit", 200),
            ("verify", 200),
            ("list_classifiers", 200),
            ("doc_upload", 410),
            ("other", 400),
            ("", 400),
        ]:
            headers, body = multipart_form([(":action", action), ("name", "acme")])
            self.assertEqual(self.site.request("POST", "/", headers | CI, body).status, status, action)
        headers, body = multipart_form([("name", "acme")])
        self.assertEqual(self.site.request("POST", "/?:action=submit", headers | CI, body).status, 200)

    def test_c157_versions_are_compared_by_pep_440(self) -> None:
        self.assertEqual(self.upload(*wheel("acme", "1.0"), "acme", "v1.0.0").status, 200)
        filename, content = sdist("acme", "1.0")
        self.assertEqual(self.upload(filename.replace("1.0", "1.0.0"), content, "acme", "1").status, 200)
        self.assertEqual(self.upload(filename, content, "acme", "1.0.post0").status, 400)

    def test_an_upload_without_a_body_is_a_400(self) -> None:
        self.assertEqual(self.site.request("POST", "/legacy/", CI).status, 400)
        self.assertEqual(self.site.request("POST", "/legacy/").status, 401)

    def test_without_users_the_refusal_says_how_to_make_one(self) -> None:
        self.site = MemorySite(authenticators=[])
        answer = self.site.request("POST", "/legacy/", {"Content-Length": "1000000000"})
        self.assertEqual(answer.status, 403)
        self.assertIn("user add NAME", answer.text)


class AdmissionTests(Synchronous):
    """The head decides before the body is read (C133, B126)."""

    def setUp(self) -> None:
        self.workers = HeldWorkers()
        self.storage = WatchedStorage()
        self.site = MemorySite(storage=self.storage, workers=self.workers, max_upload=3_000_000)

    def head(self, path: str = "/legacy/", length: int = 1_000_000, **headers: str) -> bytes:
        lines = {
            "Host": "x",
            "Content-Length": str(length),
            "Content-Type": "multipart/form-data; boundary=b",
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in (lines | headers).items())
        return f"POST {path} HTTP/1.1\r\n{text}\r\n".encode()

    def test_refusals_come_before_the_body(self) -> None:
        for head, status in [
            (self.head(), 401),
            (self.head(**basic("ci", "wrong")), 401),
            (self.head(length=3_000_001, **CI), 413),
            (self.head(length=10**18 - 1, **CI), 413),
            (self.head(**CI, **{"Content-Type": "application/json"}), 415),
            (self.head(**CI, **{"Content-Encoding": "gzip"}), 415),
            (self.head(**CI, **{"Content-Type": "multipart/form-data"}), 400),
            (self.head("/elsewhere/", **CI), 413),
            (self.head(Expect="100-continue"), 401),
        ]:
            connection = self.site.connect()
            connection.send(head)
            (answer,) = connection.answers("POST")
            self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"))

    def test_b060_100_continue_only_for_who_may(self) -> None:
        connection = self.site.connect()
        connection.send(self.head(**CI, Expect="100-continue"))
        self.assertEqual(connection.received(), b"HTTP/1.1 100 Continue\r\n\r\n")

    def test_a_refused_client_is_cut_off_after_a_moment(self) -> None:
        connection = self.site.connect()
        connection.send(self.head())
        self.assertFalse(connection.transport.aborted)
        connection.send(b"x" * 100_000)
        self.assertEqual(connection.transport.producerState, "paused")
        self.site.reactor.advance(2)
        self.assertTrue(connection.transport.aborted)

    def test_a_client_is_held_up_while_the_worker_is_behind(self) -> None:
        filename, content = wheel("acme", "1.0", payload=b"x" * 2_500_000)
        headers, body = upload_form(filename, content, "acme", "1.0")
        lines = "".join(
            f"{n}: {v}\r\n" for n, v in (headers | CI | {"Content-Length": str(len(body))}).items()
        )
        connection = self.site.connect()
        connection.send(f"POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        self.workers.work()
        sent, step = 0, 65536
        while connection.transport.producerState == "producing" and sent < len(body):
            connection.send(body[sent : sent + step])
            sent += step
        self.assertLess(sent, 1_300_000)
        while sent < len(body):
            self.workers.work()
            self.assertEqual(connection.transport.producerState, "producing")
            connection.send(body[sent : sent + step])
            sent += step
        self.workers.work_all()
        (answer,) = connection.answers("POST")
        self.assertEqual((answer.status, answer.text), (200, f"published {filename}\n"))

    def test_b157_a_client_that_goes_away_leaves_nothing(self) -> None:
        headers, body = upload_form(*wheel("acme", "1.0"), "acme", "1.0")
        lines = "".join(
            f"{n}: {v}\r\n" for n, v in (headers | CI | {"Content-Length": str(len(body))}).items()
        )
        for cut in [0, 1, len(body) // 2, len(body) - 1]:
            connection = self.site.connect()
            connection.send(f"POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
            self.workers.work_all()
            connection.send(body[:cut])
            connection.transport.loseConnection()
            self.workers.work_all()
            self.assertEqual(self.storage.staged, 0)
        self.assertEqual(self.result(self.storage.projects()), [])

    def test_once_all_is_received_a_lost_client_does_not_stop_it(self) -> None:
        headers, body = upload_form(*wheel("acme", "1.0"), "acme", "1.0")
        lines = "".join(
            f"{n}: {v}\r\n" for n, v in (headers | CI | {"Content-Length": str(len(body))}).items()
        )
        connection = self.site.connect()
        connection.send(f"POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body)
        connection.transport.loseConnection()
        self.workers.work_all()
        self.assertEqual(self.result(self.storage.projects()), ["acme"])
        self.assertEqual(self.storage.staged, 0)

    def test_a_bad_form_is_refused_before_its_end(self) -> None:
        connection = self.site.connect()
        connection.send(self.head(length=2_000_000, **CI) + b"no boundary at all\r\n" * 10)
        self.workers.work_all()
        (answer,) = connection.answers("POST")
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.storage.staged, 0)

    def test_a_full_disk_is_507(self) -> None:
        self.storage.full = True
        headers, body = upload_form(*wheel("acme", "1.0"), "acme", "1.0")
        lines = "".join(
            f"{n}: {v}\r\n" for n, v in (headers | CI | {"Content-Length": str(len(body))}).items()
        )
        connection = self.site.connect()
        connection.send(f"POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body)
        self.workers.work_all()
        (answer,) = connection.answers("POST")
        self.assertEqual(answer.status, 507)

    def test_b063_a_trickling_body_is_refused(self) -> None:
        connection = self.site.connect()
        connection.send(self.head(**CI))
        for _ in range(61):
            connection.send(b"x")
            self.site.reactor.advance(1)
        (answer,) = connection.answers("POST")
        self.assertEqual(answer.status, 408)

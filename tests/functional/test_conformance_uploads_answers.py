"""Conformance, section J: the answers to uploads."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.conformance import JSON, LiveIndex, live_index
from harness.forms import Part, encode, upload_parts
from harness.http import Answer

from pypid.testing.builds import sdist, wheel
from pypid.testing.web import basic

INJECTION = "a\r\nX-Injected: 1\r\n\r\n<script>\u2028\x00\x1b[31m\u2713"
Refuse = Callable[[LiveIndex], Answer]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with a file, and an archived project; every test makes more projects."""
    with live_index(tmp_path_factory.mktemp("answers")) as index:
        index.publish(*wheel("taken", "1.0"))
        index.publish(*wheel("archived", "1.0"))
        index.set_status("archived", "archived")
        yield index


def post(
    index: LiveIndex, parts: list[Part], *, credentials: dict[str, str] | None = None, **lines: str
) -> Answer:
    """Send a form, as the user if nobody else is named; underscores in header names stand for dashes."""
    headers, body = encode(parts)
    headers |= index.credentials if credentials is None else credentials
    headers |= {name.replace("_", "-"): value for name, value in lines.items()}
    return index.request("POST", "/legacy/", headers, body)


def new(version: str = "1.0") -> list[Part]:
    """Return the form of an upload that would be taken."""
    return upload_parts(*wheel("refused", version))


REFUSALS: dict[str, tuple[int, Refuse]] = {
    "no-file": (400, lambda index: post(index, new()[:-1])),
    "bad-name": (400, lambda index: post(index, upload_parts(*wheel("refused", "1.0"), name="a/b"))),
    "stranger": (401, lambda index: post(index, new(), credentials={})),
    "password": (401, lambda index: post(index, new(), credentials=basic("alice", "wrong"))),
    "archived": (403, lambda index: post(index, upload_parts(*wheel("archived", "1.1")))),
    "exists": (409, lambda index: post(index, upload_parts(*wheel("taken", "1.0", payload=b"x")))),
    "documents": (410, lambda index: post(index, [Part(":action", "doc_upload")])),
    "long-field": (413, lambda index: post(index, [Part("description", "x" * 1_000_001), *new()])),
    "type": (415, lambda index: post(index, new(), Content_Type="application/json")),
}

refusals = pytest.mark.parametrize("name", REFUSALS)


def test_c141_success(index: LiveIndex) -> None:
    """Success is a 200 with a short line of text."""
    filename, content = wheel("success", "1.0")
    answer = index.upload(filename, content)
    assert (answer.status, answer.reason, answer.text) == (200, "OK", f"published {filename}\n")
    assert answer.headers.get_content_type() == "text/plain"


@refusals
def test_c142_message_in_both_places(index: LiveIndex, name: str) -> None:
    """What is wrong stands in the reason phrase and in a body of plain text."""
    answer = REFUSALS[name][1](index)
    assert answer.reason + "\n" == answer.text
    assert len(answer.reason) > 20
    assert answer.headers.get_content_type() == "text/plain"


@pytest.mark.parametrize(
    "field", ["filename", "name", "version", "requires_python", "requires_dist", "field", ":action"]
)
def test_c143_reason_is_one_clean_line(index: LiveIndex, field: str) -> None:
    """The reason phrase is one line of latin-1 that nobody else writes, of at most 200 characters."""
    filename, content = wheel("clean", "1.0")
    if field == "filename":
        parts = upload_parts(filename, content, sent_as="a%0d%0aX-Injected: 1\u2713-1.0-py3-none-any.whl")
    elif field == "field":
        parts = [Part("x\u2713%0d%0aX-Injected: 1", b"\xff"), *upload_parts(filename, content)]
    else:
        parts = upload_parts(filename, content, **{field: INJECTION})
    headers, body = encode(parts)
    lines = {
        "Host": "x",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
        **index.credentials,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", index.daemon.port), timeout=10) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.match(rb"HTTP/1\.1 400 [\x20-\x7e\xa0-\xff]{1,200}\r\n", received), received
    assert not re.search(rb"[\r\n]X-Injected", received)
    assert b"Content-Type: text/plain" in received


def test_c143_long_reasons_are_cut(index: LiveIndex) -> None:
    """What is too long for the reason phrase is whole in the body."""
    name = "long" * 25
    version = "1.0+" + "local" * 13
    index.publish(*wheel(name, version))
    answer = index.upload(*wheel(name, version, payload=b"x"))
    assert (answer.status, len(answer.reason)) == (409, 200)
    assert answer.text.startswith(answer.reason)
    assert answer.text.endswith("with other content\n")


def test_c144_identical_again(index: LiveIndex) -> None:
    """The same file again is a 200, and changes nothing."""
    filename, content = wheel("again", "1.0")
    index.publish(filename, content)
    path = index.simple_directory / "again" / filename
    before = index.get("/simple/again/", JSON), path.stat(), sorted(path.parent.iterdir())
    for _ in range(3):
        assert index.upload(filename, content).status == 200
    after = index.get("/simple/again/", JSON), path.stat(), sorted(path.parent.iterdir())
    assert before[0].headers["ETag"] == after[0].headers["ETag"]
    assert before[0].headers["X-PyPI-Last-Serial"] == after[0].headers["X-PyPI-Last-Serial"]
    assert (before[0].body, before[2]) == (after[0].body, after[2])
    assert (before[1].st_ino, before[1].st_mtime_ns) == (after[1].st_ino, after[1].st_mtime_ns)


@pytest.mark.parametrize("build", [wheel, sdist], ids=["wheel", "sdist"])
def test_c145_other_content_is_told_in_the_words_clients_know(
    index: LiveIndex, build: Callable[..., tuple[str, bytes]]
) -> None:
    """Another file under the same name is refused as one that is there: `File already exists`."""
    name = f"words-{build.__name__}"
    index.publish(*build(name, "1.0"))
    for _ in range(2):
        answer = index.upload(*build(name, "1.0", payload=b"x"))
        assert "File already exists" in answer.reason
        assert "already exists" in answer.text


def test_c146_other_content_is_a_conflict(index: LiveIndex) -> None:
    """That refusal is a 409, also for the name of a file that was removed."""
    filename, content = wheel("conflict", "1.0")
    index.publish(filename, content)
    assert index.upload(*wheel("conflict", "1.0", payload=b"x")).status == 409
    index.remove("conflict", filename)
    assert index.upload(*wheel("conflict", "1.0", payload=b"x")).status == 409
    assert index.upload(filename, content).status == 200


@refusals
def test_c147_statuses(index: LiveIndex, name: str) -> None:
    """The status says whose turn it is: 400 the form, 401 sign in, 403 not here, 409 there, 413 and 415."""
    status, refuse = REFUSALS[name]
    assert refuse(index).status == status


def test_c148_after_a_5xx_an_upload_may_be_sent_again(index: LiveIndex) -> None:
    """A 5xx leaves nothing, so the same upload may be sent again, and then succeeds."""
    filename, content = wheel("broken", "1.0")
    (index.simple_directory / "broken").write_text("where a directory should be")
    assert index.upload(filename, content).status == 503
    index.wait_for_empty_staging()
    (index.simple_directory / "broken").unlink()
    assert index.upload(filename, content).status == 200
    assert index.get(index.path("broken", filename)).body == content


def test_c149_retry_after_is_a_number(index: LiveIndex) -> None:
    """`Retry-After` is a number of seconds."""
    (index.simple_directory / "later").write_text("where a directory should be")
    assert index.upload(*wheel("later", "1.0")).headers["Retry-After"].isdigit()


@refusals
def test_c150_errors_are_plain_text(index: LiveIndex, name: str) -> None:
    """Errors are plain text, and never `application/problem+json`."""
    assert REFUSALS[name][1](index).headers["Content-Type"] == "text/plain; charset=utf-8"
    answer = post(index, new()[:-1], Accept="application/problem+json, application/json")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_c151_a_200_is_durable(index: LiveIndex) -> None:
    """After a 200 the file is listed, and a daemon that is killed at once has it when it is back."""
    for number in range(5):
        filename, content = wheel("durable", f"1.{number}")
        assert index.upload(filename, content).status == 200
        assert index.entry("durable", filename)["size"] == len(content)
    filename, content = sdist("durable", "2.0")
    assert index.upload(filename, content).status == 200
    index.daemon.kill()
    index.daemon.start()
    assert len(index.json("durable")["files"]) == 6
    assert index.get(index.path("durable", filename)).body == content


@pytest.mark.parametrize("alike", [True, False], ids=["same", "other"])
def test_c152_two_at_once(index: LiveIndex, alike: bool) -> None:
    """Of uploads of one file at the same time one wins; the others hear the same, or that it is there."""
    for number in range(5):
        name = f"race-{alike}-{number}".lower()
        builds = [wheel(name, "1.0", payload=b"x" * (1 if alike else which)) for which in range(4)]
        with ThreadPoolExecutor(len(builds)) as pool:
            answers = list(pool.map(lambda build: index.upload(*build), builds))
        statuses = sorted(answer.status for answer in answers)
        assert statuses == ([200] * 4 if alike else [200, 409, 409, 409])
        (file,) = index.json(name)["files"]
        winner = next(build for build, answer in zip(builds, answers, strict=True) if answer.status == 200)
        assert index.get(index.path(name, file["filename"])).body == winner[1]


def test_c153_pages_are_current(index: LiveIndex) -> None:
    """Whoever asks with `Cache-Control: no-cache` before and after sees what is there, with its hashes."""

    def page() -> Answer:
        return index.get("/simple/current/", JSON, Cache_Control="no-cache")

    assert page().status == 404
    index.publish(*wheel("current", "1.0"))
    first = page()
    assert index.upload(*wheel("current", "1.0", payload=b"x")).status == 409
    assert page().body == first.body
    index.publish(*sdist("current", "1.0"))
    assert len(index.json("current")["files"]) == 2
    assert page().body != first.body
    assert all(file["hashes"]["sha256"] for file in index.json("current")["files"])


@refusals
def test_c154_failures_look_like_failures(index: LiveIndex, name: str) -> None:
    """A failure is no redirect, no page to sign in on, and no success."""
    answer = REFUSALS[name][1](index)
    assert 400 <= answer.status < 500
    assert "Location" not in answer.headers
    assert "<" not in answer.text

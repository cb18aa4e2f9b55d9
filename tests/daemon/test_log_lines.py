"""The lines of the log in both formats, and that nothing in them can pass for something else."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure

from pypid.daemon.log_destination import LogDestination
from pypid.daemon.log_lines import FORMATS
from pypid.formats.harmless_text import harmless
from pypid.runtime.request_id import current_request_id, new_request_id
from pypid.web.http.access_lines import json_line, text_line

EVIL = "\r\n2026-11-29T00:00:00+0000 [pypid#info] forged \x1b[2J\u202e\u2066\u2028\x85\x00\x7f\ud800"
DANGEROUS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def is_harmless(line: str) -> bool:
    return not any(unicodedata.category(one) in DANGEROUS for one in line.replace("\t", ""))


def written(form: str, level: str = "info", **event: object) -> str:
    file = StringIO()
    publisher = LogPublisher(LogDestination(file, FORMATS[form], level))
    Logger("pypid.test", observer=publisher).emit(LogLevel.info, "{what}", **event)
    return file.getvalue()


class Answered:
    """A request of a client that sends whatever it likes."""

    code, sentLength, duration, cache = 200, 12, 0.25, "hit"
    clientproto = b"HTTP/1.1"
    request_id = "abc-1"

    def __init__(self, text: str) -> None:
        self.user_name = text
        self.method = self.uri = self._value = text.encode("utf-8", "surrogateescape")

    def getClientAddress(self) -> IAddress:
        return IPv4Address("TCP", "192.0.2.1", 1)

    def getHeader(self, name: bytes) -> bytes | None:
        return self._value


@given(st.text())
@example(EVIL)
@example('"\\ \\x0a')
def test_no_message_can_forge_a_line(text: str) -> None:
    lines = written("text", what=text).split("\n")
    assert lines.pop() == ""
    for number, line in enumerate(lines):
        assert is_harmless(line)
        assert line.startswith("\t") == (number > 0), "only the first line has a time"
    line = written("json", what=text)
    if line:
        assert (line.count("\n"), line.isascii(), line[:-1].isprintable()) == (1, True, True)
        assert json.loads(line)["message"] == text.rstrip("\n")


@given(st.text(st.characters(blacklist_categories=["Cs"])))
@example(EVIL.replace("\ud800", ""))
@example('" 200 1 "-" "-" \\')
def test_no_client_can_forge_an_access_line(text: str) -> None:
    line = text_line("[29/Nov/2026:13:33:34 +0000]", Answered(text))
    assert is_harmless(line)
    assert "\n" not in line
    assert line.endswith(" 0.250 abc-1 hit")
    assert line.replace("\\\\", "").replace('\\"', "").count('"') == 8, "none ends a field"
    found = json.loads(json_line("", Answered(text)))
    assert (found["user"], found["status"], found["request"]) == (text, 200, "abc-1")


def test_what_a_line_has() -> None:
    assert written("text", what="done").endswith(" [pypid.test#info] done\n")
    found = json.loads(written("json", what="done", audit={"action": "yank"}))
    assert datetime.fromisoformat(found["time"]).tzinfo == UTC
    assert (found["level"], found["system"], found["message"]) == ("info", "pypid.test", "done")
    assert found["audit"] == {"action": "yank"}
    assert "request" not in found


def test_a_line_names_the_request_that_has_caused_it() -> None:
    token = current_request_id.set("abc-7")
    try:
        assert written("text", what="done").endswith("[pypid.test#info] (abc-7) done\n")
        assert json.loads(written("json", what="done"))["request"] == "abc-7"
        assert json.loads(written("json", what="done", request="abc-8"))["request"] == "abc-8"
    finally:
        current_request_id.reset(token)


def test_a_traceback_is_in_one_event() -> None:
    failure = Failure(ZeroDivisionError(EVIL))
    text = written("text", what="broken", log_failure=failure)
    assert "ZeroDivisionError" in text
    assert all(line.startswith("\t") and is_harmless(line) for line in text.splitlines()[1:])
    assert "ZeroDivisionError" in json.loads(written("json", what="broken", log_failure=failure))["message"]


def test_levels_and_secrets() -> None:
    assert written("text", "warn", what="quiet") == ""
    assert "loud" in written("text", "warn", what="loud", audit={}), "audit lines are always there"
    secret = "pypid_" + "a" * 8 + "_" + "b" * 32 + "c" * 6
    assert "b" * 32 not in written("text", what=secret) + written("json", what=secret)


@pytest.mark.parametrize("text", ["acme-lib 1.0", "Zoë", "日本語", "naïve — “quoted”"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_ids_are_unlike() -> None:
    assert len({new_request_id() for _ in range(1000)}) == 1000

"""The user name and the password for an upstream."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from pypid.errors import CannotStart
from pypid.upstream.http.credentials import read_credentials


def test_there_may_be_none() -> None:
    assert read_credentials(None, None) is None


@pytest.mark.parametrize("text", ["ann:s3:cret", "ann:s3:cret\n", " ann:s3:cret \r\n"])
def test_t52_from_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    with capturedLogs() as events:
        assert read_credentials(path, None) == b"Basic " + b64encode(b"ann:s3:cret")
    assert events == []


def test_t52_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDEX_LOGIN", "j\u00f6rg:p\u00e4ss")
    expected = b"Basic " + b64encode("j\u00f6rg:p\u00e4ss".encode())
    assert read_credentials(None, "INDEX_LOGIN") == expected


@pytest.mark.parametrize(
    "text", ["", "\n", "s3cret", ":s3cret", "ann:", "ann:s3cret\nbob:s3cret", "ann:s3\x00cret"]
)
def test_t51_malformed_ones_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(text)
    with pytest.raises(CannotStart, match="should be one line, USER:PASSWORD") as caught:
        read_credentials(path, None)
    assert "s3" not in str(caught.value)
    if "\x00" not in text:
        monkeypatch.setenv("INDEX_LOGIN", text)
        with pytest.raises(CannotStart, match="the environment variable INDEX_LOGIN should"):
            read_credentials(None, "INDEX_LOGIN")


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INDEX_LOGIN", raising=False)
    with pytest.raises(CannotStart, match="INDEX_LOGIN"):
        read_credentials(None, "INDEX_LOGIN")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="No such file"):
        read_credentials(tmp_path / "nowhere", None)
    path = tmp_path / "credentials"
    path.write_bytes(b"ann:\xff")
    with pytest.raises(CannotStart, match="not UTF-8"):
        read_credentials(path, None)


def test_a_file_that_everybody_can_read_is_complained_about(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_text("ann:s3cret")
    path.chmod(0o644)
    with capturedLogs() as events:
        read_credentials(path, None)
    (event,) = events
    assert str(path) in event["where"]
    assert "s3cret" not in str(event)

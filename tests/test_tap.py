"""The daemon's command line: accepted and refused arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypid import __version__
from pypid.daemon.config import Config
from pypid.errors import CannotStart
from pypid.tap import Options


def config(*words: str) -> Config:
    options = Options()
    options.parseOptions(["--root", "/srv/pypi", *words])
    return options.config()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--listen", ":9000"], "--listen: ':9000' does not say for whom: write --listen 127.0.0.1:9000"),
        (["--port", "127.0.0.1"], "--port: '127.0.0.1' is no port"),
        (["--passwords", "x"], "option --passwords not recognized; write --auth htpasswd:FILE"),
        (["--pidfile", "x"], "goes before the word pypid: twistd --pidfile; see `twistd pypid --help`"),
        (["--reserve", "acme-*,foo"], "repeat the option, --reserve 'acme-*' --reserve 'foo'"),
        (["--upstream", "index.example.org/simple/"], "write --upstream https://index.example.org/simple/"),
        (["--public-url", "packages.example.org"], "write https://packages.example.org"),
        (["/var/pypi"], "write --root /var/pypi if it is the directory to serve"),
        (["--max-upload"], "option --max-upload requires argument; see `twistd pypid --help`"),
    ],
)
def test_fault_f5_errors_have_the_line_to_write(words: list[str], expected: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        config(*words)
    assert expected in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_fault_f5_what_is_plain_is_taken() -> None:
    read = config(
        *("--port", "9000", "--listen", "0.0.0.0:80", "--upstream", "https://index.example.org/simple/"),
        *("--auth", "/etc/pypid/users", "--access", "/etc/pypid/rules.toml", "--storage", "/srv/files"),
    )
    assert read.listen == ["tcp:9000:interface=127.0.0.1", "tcp:80:interface=0.0.0.0"]
    assert read.upstreams == ["proxy:https://index.example.org/simple/"]
    assert (read.auth, read.access) == (["htpasswd:/etc/pypid/users"], "rules:/etc/pypid/rules.toml")
    assert read.storage == "directory:/srv/files"


def test_fault_f5_strangers_may_upload_at_a_port_of_this_machine_alone() -> None:
    assert config("--access", "anyone", "--port", "9000").access == "anyone"
    with pytest.raises(CannotStart, match="say anyone:anyone"):
        config("--access", "anyone", "--listen", "0.0.0.0:9000")


def test_defaults() -> None:
    read = config()
    assert (read.root, read.storage) == (Path("/srv/pypi"), "directory:/srv/pypi")
    assert read.auth == ["tokens:/srv/pypi/tokens", "htpasswd:/srv/pypi/htpasswd:optional"]
    assert read.listen == ["tcp:8080:interface=127.0.0.1"]


def test_fault_f9_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        Options().parseOptions(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"pypid {__version__}\n")

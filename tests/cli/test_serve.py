"""The directory and the options with which ``pypid serve`` runs the daemon."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result

from pypid import __version__
from pypid.cli.main import main

Ran = list[Sequence[str]]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    """Note what twistd is called with, in place of running it."""
    calls: Ran = []
    monkeypatch.setattr("twisted.scripts.twistd.run", lambda: calls.append(sys.argv[1:]))
    monkeypatch.setattr(sys, "argv", ["pypid"])
    return calls


def invoke(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(main, words, env={"PYPID_ROOT": None, **variables})


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["serve", "/srv/pypi"], {}),
        (["--root", "/srv/pypi", "serve"], {}),
        (["serve", "--root", "/srv/pypi"], {}),
        (["serve"], {"PYPID_ROOT": "/srv/pypi"}),
        (["--root", "/srv/other", "serve", "/srv/pypi"], {"PYPID_ROOT": "/srv/third"}),
    ],
)
def test_fault_f3_no_pidfile(words: list[str], variables: dict[str, str], ran: Ran) -> None:
    """Whichever way the directory is given, with options behind it as they stand."""
    result = invoke(*words, "--port", "9000", "--reserve", "acme-*", **variables)
    assert (result.exit_code, result.output) == (0, "")
    [line] = ran
    assert line[:3] == ["-n", "--pidfile=", "pypid"]
    assert line[-6:] == ["--root", "/srv/pypi", "--port", "9000", "--reserve", "acme-*"]


def test_fault_g_the_storage_is_passed_on(ran: Ran) -> None:
    """Also one that the environment has."""
    for words, variables in (
        (["--storage", "/srv/files", "serve", "/srv/pypi"], {}),
        (["serve", "/srv/pypi"], {"PYPID_STORAGE": "directory:/srv/files"}),
    ):
        assert invoke(*words, **variables).exit_code == 0
        assert ran.pop()[3:] == ["--root", "/srv/pypi", "--storage", "directory:/srv/files"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "--root is missing"),
        (["/srv/pypi", "--listen", ":80"], "--listen 0.0.0.0:80"),
        (["/srv/pypi", "--prot", "80"], "did you mean --root or --port?; see `pypid serve --help`"),
        (["/srv/pypi", "/srv/pypi"], "one argument too many"),
    ],
)
def test_fault_f3_refusals(words: list[str], expected: str, ran: Ran) -> None:
    """One line, before anything is begun."""
    result = invoke("serve", *words)
    assert (result.exit_code, result.stdout, ran) == (1, "", [])
    assert result.stderr.startswith("pypid: ")
    assert result.stderr.count("\n") == 1
    assert expected in result.stderr


def test_fault_f3_help_has_the_options_of_the_daemon(ran: Ran) -> None:
    said = invoke("serve", "--help").stdout
    assert said.startswith("Usage: pypid serve [DIR]")
    assert "--reserve" in said
    assert "directory:" in invoke("serve", "--help-storage").stdout
    assert invoke("serve", "--version").stdout == f"pypid {__version__}\n"
    assert ran == []

"""Each call of ``pypid`` and ``twistd pypid`` in a document has the documented result."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from harness.documents import DOCUMENTS, ROOT, adapted, commands
from twisted.internet.testing import MemoryReactorClock

from pypid.cli.main import main
from pypid.daemon.plugin_loading import load_plugins
from pypid.daemon.service import make_daemon
from pypid.tap import Options
from pypid.testing.builds import sdist, wheel

PLACES = {
    "--upstream 'proxy:URL:offline'": "--upstream proxy:https://index.example.org/simple/:offline",
    "./var/pypi": "/var/pypi",
    "/srv/backups/": "backups/",
    "/srv/new": "new",
    "/etc/pypid/pypid.toml": "pypid.toml",
    " NAME VERSION": " foo 1.2",
    "status NAME": "status foo",
    "user add NAME": "user add dora",
}
BUILDS = {
    "foo": [sdist("foo", "1.0"), wheel("foo", "1.2"), sdist("foo", "1.2"), wheel("foo", "1.3")],
    "acme-tools": [wheel("acme-tools", "1.0")],
}
LEAST = {
    "README.md": 4,
    "docs/cli.md": 7,
    "docs/migrating.md": 1,
    "docs/operating.md": 12,
    "docs/rights.md": 4,
}
"""How many calls some documents show at least, so that the test does not pass for nothing."""
ASKS_UPSTREAM = {("cache", "prefetch"), ("cache", "refresh")}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a tree with what the documents speak of, and go to where the lock files are."""
    for project, builds in BUILDS.items():
        directory = tmp_path / "pypi" / "simple" / project
        directory.mkdir(parents=True)
        for name, data in builds:
            (directory / name).write_bytes(data)
    (tmp_path / "backups").mkdir()
    (tmp_path / "pypid.toml").write_text(f"root = '{tmp_path / 'pypi'}'\n")
    for name in ("uv.lock", "requirements.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYPID_ROOT", raising=False)
    monkeypatch.setattr("pypid.cli.commands._is_terminal", lambda: True)
    return tmp_path / "pypi"


def calls(text: str, root: Path) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words of the calls of the command in a line, and those of the options of the daemon."""
    text = adapted(text, PLACES).replace("/var/pypi", str(root))
    if "…" in text or "..." in text:
        return [], []
    words = shlex.split(text, comments=True)
    if not words:
        return [], []
    if words[0].startswith("--"):
        return [], [["--root", str(root), *words]]
    for number, word in enumerate(words):
        if re.fullmatch(r"(\S*/)?twistd", word) and "pypid" in words[number:]:
            return [], [words[words.index("pypid", number) + 1 :]]
        if re.fullmatch(r"(?!/etc/)(\S*/)?pypid", word) and number == 0 and not words[1][:1].isdigit():
            return [words[1:]], []
    return [], []


def parse(command: click.Command, words: Sequence[str], parent: click.Context | None = None) -> None:
    """Read the command line, and do nothing."""
    context = command.make_context(command.name, list(words), parent)
    if isinstance(command, click.Group):
        _, verb, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert verb is not None
        parse(verb, rest, context)


def run(words: list[str], root: Path) -> str:
    """Run the command to its end in this process; somebody answers what it asks."""
    if ">" in words:
        words = words[: words.index(">")]
    if tuple(words[2:4]) in ASKS_UPSTREAM or words[2:3] == ["reload"]:  # they need a server
        parse(main, words)
        return ""
    if ("user", "add") in pairwise(words) or "passwd" in words:
        words = [*words, "--password-stdin"]
    if "ID" in words:
        listed = CliRunner().invoke(main, ["--root", str(root), "token", "list"]).stdout
        words = [word if word != "ID" else listed.split()[0] for word in words]
    result = CliRunner().invoke(main, words, input="y\n")
    assert result.exit_code == 0, f"{words}\n{result.output}"
    return result.output


def make(options: Sequence[str]) -> None:
    """Put a daemon together of some options; it is not started."""
    read = Options()
    read.parseOptions(options)
    make_daemon(read.source, read.config(), load_plugins(), MemoryReactorClock())


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "conformance.md"], ids=lambda path: path.stem
)
def test_fault_f8_commands_work(document: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which they stand there; what is for the daemon makes one."""
    ran: list[Sequence[str]] = []
    monkeypatch.setattr("twisted.scripts.twistd.run", lambda: ran.append(sys.argv[4:]))
    monkeypatch.setattr(sys, "argv", ["pypid"])
    done = 0
    for line in commands(document):
        for_people, for_the_daemon = calls(line, root)
        for words in for_people:
            run(words, root)
        for options in (*for_the_daemon, *ran):
            if options != ["--help"]:
                make(options)
        ran.clear()
        done += len(for_people) + len(for_the_daemon)
    assert done >= LEAST.get(str(document.relative_to(ROOT)), 0)


def test_fault_f8_options_in_the_files_of_services(root: Path) -> None:
    """What their comments show works, too."""
    done = 0
    for path in sorted((ROOT / "etc").rglob("*")):
        for line in path.read_text().splitlines() if path.is_file() else ():
            text = re.sub(r"\s{2,}[a-z].*$", "", line.lstrip("#; "))
            if re.match(r"(\S*/)?twistd .*pypid |--[a-z-]+ ", text) and "$" not in text:
                _, found = calls(text, root)
                for options in found:
                    make(options)
                    done += 1
    assert done >= 8

"""Faults at each system call of a read: an unreadable file is never taken for a missing one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from http.client import HTTPException
from itertools import chain, count
from pathlib import Path
from typing import Any
from xmlrpc.client import ProtocolError, ServerProxy

import bcrypt
import pytest
from attrs import define
from harness.daemon import Daemon
from harness.faults import ONE_THREAD, injected
from harness.http import Answer, ask
from harness.processes import require_tool, wait_until
from harness.uploads import JSON, Upload
from harness.upstream import FakeIndex, fake_index

from pypid.testing.builds import sdist

EXHAUSTIVE = os.environ.get("PYPID_TEST_FAULTS") == "all"
"""Whether each call fails in all ways, once and for good, and not in one of them; that takes minutes."""
ERRORS = {
    "openat": ("EACCES", "EIO", "EMFILE", "ESTALE", "ENOMEM"),
    "newfstatat": ("EIO", "ESTALE", "EACCES", "ENOMEM"),
    "fstat": ("EIO", "ESTALE"),
    "getdents64": ("ESTALE", "EIO", "ENOMEM"),
    "read": ("EIO", "ESTALE"),
    "pread64": ("ESTALE", "EIO"),
}
"""The calls of a reading, and how they fail."""
LONG_AGO = 1_000_000_000
PROJECT = "acme"


@define
class Tree:
    """A project of a file that was published and one that was copied in, behind a daemon."""

    daemon: Daemon
    upstream: FakeIndex
    published: Upload

    @property
    def simple(self) -> Path:
        """The directory of projects."""
        return self.daemon.root / "simple"

    def copy_in(self, project: str, *versions: str) -> None:
        """Put files into the tree by hand, as they were long ago."""
        (self.simple / project).mkdir(exist_ok=True)
        for version in versions:
            filename, content = sdist(project, version)
            path = self.simple / project / filename
            path.write_bytes(content)
            os.utime(path, (LONG_AGO, LONG_AGO))

    def move(self, path: Path) -> None:
        """Have a directory looked at again."""
        now = path.stat().st_mtime_ns
        os.utime(path, ns=(now, now + 1_000_000))

    def get(self, path: str) -> Answer:
        """Ask the daemon."""
        return ask(f"{self.daemon.url}{path}", headers=JSON)

    def assert_page(self, project: str, answer: Answer, *, whole: bool = True) -> None:
        """Check that a page has all files with their digests; if it need not be whole, some of them."""
        listed = {file["filename"]: file["hashes"]["sha256"] for file in json.loads(answer.body)["files"]}
        paths = self.simple.glob(f"{project}/*.whl"), self.simple.glob(f"{project}/*.gz")
        there = {path.name: sha256(path.read_bytes()).hexdigest() for path in chain(*paths)}
        assert listed == there or (not whole and listed and listed.items() <= there.items())

    def removals(self) -> Sequence[str] | None:
        """Return what the journal has of things that went away; ``None`` if it cannot be read now."""
        rpc: Any = ServerProxy(f"{self.daemon.url}pypi")
        try:
            changes = rpc.changelog_since_serial(0)
        except ProtocolError as error:
            assert error.errcode == 503, error
            return None
        return [action for *_, action, _ in changes if action.startswith("remove")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """Yield a daemon in front of another index that has a project of the same name."""
    require_tool("strace", "apt-get install strace")
    directory = tmp_path_factory.mktemp("faults")
    stranger = directory / "upstream" / "simple" / PROJECT
    stranger.mkdir(parents=True)
    (stranger / "index.html").write_text('<!DOCTYPE html><a href="acme-99.0.tar.gz">acme-99.0.tar.gz</a>')
    (directory / "users").write_text(f"ci:{bcrypt.hashpw(b'secret', bcrypt.gensalt(5)).decode()}\n")
    with fake_index(directory / "upstream") as upstream:
        options = ("--auth", f"htpasswd:{directory}/users", "--upstream", f"proxy:{upstream.simple}")
        daemon = Daemon(directory / "pypi", options, twistd=ONE_THREAD)
        try:
            tree = Tree(daemon.start(), upstream, Upload.of(PROJECT, ("ci", "secret"), bytes(200_000)))
            assert tree.published.send(daemon).status == 200
            tree.copy_in(PROJECT, "0.1")
            tree.assert_page(PROJECT, tree.get(f"simple/{PROJECT}/"))
            yield tree
        finally:
            daemon.kill()


Question = tuple[str, Callable[[Answer, bool], None]]
"""What is asked for, and what is to be seen of a good answer, which is told whether it has to be whole."""


def listing(tree: Tree, fault: str) -> Question:
    """Ask for the page of a project that is to be listed anew."""
    tree.move(tree.simple / PROJECT)
    return f"simple/{PROJECT}/", lambda answer, _: tree.assert_page(PROJECT, answer)


def reading(tree: Tree, fault: str) -> Question:
    """Ask for the page of a project that is new; what nobody may read of it is left out."""
    project = f"acme-{fault}"
    tree.copy_in(project, "1.0", "2.0")
    return f"simple/{project}/", lambda answer, whole: tree.assert_page(project, answer, whole=whole)


def download(tree: Tree, fault: str) -> Question:
    """Ask for a file."""

    def check(answer: Answer, _: bool) -> None:
        assert answer.body == tree.published.content

    return f"packages/{PROJECT}/{tree.published.filename}", check


def metadata(tree: Tree, fault: str) -> Question:
    """Ask for the core metadata of a file."""

    def check(answer: Answer, _: bool) -> None:
        assert answer.body.startswith(b"Metadata-Version: ")

    tree.move(tree.simple / PROJECT)
    return f"packages/{PROJECT}/{tree.published.filename}.metadata", check


def projects(tree: Tree, fault: str) -> Question:
    """Ask for the list of projects."""

    def check(answer: Answer, _: bool) -> None:
        listed = [project["name"] for project in json.loads(answer.body)["projects"]]
        assert listed == sorted(path.name for path in tree.simple.iterdir())

    tree.move(tree.simple)
    return "simple/", check


Operation = Callable[[Tree, str], Question]

LEAST = {listing: 12, reading: 20, download: 5, metadata: 8, projects: 3}
"""So many calls there are at least of each; fewer would mean that they go by other names here."""


@pytest.mark.parametrize("operation", LEAST, ids=lambda operation: operation.__name__)
def test_fault_b1_each_call_of_a_reading_fails(operation: Operation, tree: Tree) -> None:
    """There is the truth or a 503, no news in the journal, no question upstream, and it heals at once."""
    calls = 0
    for call, errors in ERRORS.items():
        for number in count(1):
            chosen = errors if EXHAUSTIVE else errors[number % len(errors) :][:1]
            faults = [f"error={error}:when={number}+" for error in chosen]
            if EXHAUSTIVE:
                faults += [fault.rstrip("+") for fault in faults]
            happened = [happens(tree, operation, f"{call}:{fault}") for fault in faults]
            if not all(happened):
                break
            calls += 1
    assert calls >= LEAST[operation]
    wait_until(lambda: tree.removals() is not None, "the journal can be read again")
    assert tree.removals() == []
    assert not [path for path in tree.upstream.requests if PROJECT in path]
    log = tree.daemon.log_text()
    assert "Traceback" not in log
    assert f"Cannot read '{tree.simple}" in log


def happens(tree: Tree, operation: Operation, fault: str) -> bool:
    """Let a call fail while something is asked for; return whether there was such a call."""
    what = f"{operation.__name__}: {fault}"
    path, check = operation(tree, re.sub("[^a-z0-9]+", "-", fault.lower()).strip("-"))
    with injected(tree.daemon, fault) as output:
        try:
            answer = tree.get(path)
        except (OSError, HTTPException):
            answer = None  # it broke off: nobody takes that for the whole
    if answer is not None and answer.status == 503:
        assert int(answer.headers["Retry-After"]) > 0, what
        assert answer.text.startswith("the storage cannot read "), what
    elif answer is not None:
        assert answer.status == 200, (what, answer)
        check(answer, "EACCES" not in fault)
    again = tree.get(path)
    assert again.status == 200, (what, again)
    check(again, "EACCES" not in fault)
    assert not tree.removals(), what
    return "INJECTED" in output.read_text()

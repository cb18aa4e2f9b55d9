"""Changes made beside a daemon, by anybody, appear in every interface for mirrors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import pytest
from attrs import frozen
from harness.conformance import JSON, LiveIndex, live_index
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script, wait_until

from pypid.testing.builds import wheel

SOON = 20
"""Seconds after which it is too late, on a machine that has much else to do; a sweep comes after 60."""


@frozen
class News:
    """What a daemon says of the last change, in each of the places where it can be asked for."""

    listed: dict[str, int]
    """The serials of projects in the list of them, by name."""
    header: int
    """The serial in the header of that list."""
    called: dict[str, int]
    """The serials by XML-RPC."""
    last: int
    """The last serial by XML-RPC."""

    @classmethod
    def of(cls, daemon: Daemon) -> News:
        """Ask for it; of no project's page, which would look at the project."""
        answer = ask(daemon.simple, headers={"Accept": JSON})
        page = json.loads(answer.body)
        rpc: Any = ServerProxy(f"{daemon.url}pypi")
        return cls(
            {project["name"]: project["_last-serial"] for project in page["projects"]},
            int(answer.headers["X-PyPI-Last-Serial"]),
            rpc.list_packages_with_serial(),
            rpc.changelog_last_serial(),
        )

    def check(self) -> None:
        """Check that all places tell the same."""
        assert self.listed == self.called
        assert self.header == max(self.listed.values()) <= self.last


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with some projects."""
    with live_index(tmp_path_factory.mktemp("beside")) as index:
        for name in ("acme", "other"):
            index.publish_wheel(name)
            index.publish_wheel(name, "2.0")
        yield index


@pytest.fixture(scope="module")
def daemons(index: LiveIndex) -> Iterator[list[Daemon]]:
    """Yield that daemon and another one on the same root."""
    other = Daemon(index.daemon.root, ("--upstream", "none"))
    other.start()
    for each in (index.daemon, other):
        wait_until(lambda each=each: len(News.of(each).listed) == 2, "both projects")
        News.of(each).check()
    yield [index.daemon, other]
    other.stop()


def pypid(root: Path, *arguments: str) -> None:
    """Run the command to its end."""
    run([script("pypid"), "--root", root, *arguments], environment=daemon_environment())


def test_fault_a11_what_the_command_does_is_in_lists_and_serials_at_once(daemons: list[Daemon]) -> None:
    """The first who asks is told, whatever daemon they ask, and whatever they ask for."""
    before = News.of(daemons[0])
    for words, actions in [
        (["yank", "acme", "1.0", "--reason", "broken"], ["yank release"]),
        (["unyank", "acme", "1.0"], ["unyank release"]),
        (["status", "acme", "deprecated"], ["change status to deprecated"]),
        (["owner", "add", "acme", "bob"], ["add Owner bob"]),
        (
            ["remove", "acme", "1.0", "--yes"],
            ["remove file acme-1.0-py3-none-any.whl", "remove release"],
        ),
    ]:
        pypid(daemons[0].root, *words)
        for each in daemons:
            rpc: Any = ServerProxy(f"{each.url}pypi")
            assert rpc.changelog_last_serial() > before.last, words
            assert [change[3] for change in rpc.changelog_since_serial(before.last)] == actions
            news = News.of(each)
            news.check()
            assert news.listed["acme"] == news.last > before.last
            assert news.listed["other"] == before.listed["other"]
        before = News.of(daemons[0])


def test_fault_a11_what_one_daemon_takes_the_other_one_tells_at_once(
    index: LiveIndex, daemons: list[Daemon]
) -> None:
    """Uploads and changes over HTTP, of projects that it has and of new ones."""
    _, other = daemons
    for name in ("acme", "new", "newer"):
        before = News.of(other)
        index.publish_wheel(name, "3.0")
        rpc: Any = ServerProxy(f"{other.url}pypi")
        assert rpc.changelog_last_serial() > before.last
        news = News.of(other)
        news.check()
        assert news.listed[name] == news.last
        assert f"{name} 3.0".encode() in ask(f"{other.url}rss/updates.xml").body


def test_fault_a11_what_hands_do_is_in_lists_and_serials_soon(daemons: list[Daemon]) -> None:
    """Files that come and go, projects that come and go; nobody has to ask for their pages."""
    simple = daemons[0].root / "simple"

    def put(directory: str, name: str, version: str) -> None:
        (simple / directory).mkdir(exist_ok=True)
        (simple / directory / wheel(name, version)[0]).write_bytes(wheel(name, version)[1])

    for change, project, action in [
        (lambda: put("acme", "acme", "5.0"), "acme", "new release"),
        (lambda: (simple / "acme" / wheel("acme", "5.0")[0]).unlink(), "acme", "remove release"),
        (lambda: put("found", "found", "1.0"), "found", "create"),
        (lambda: put("Foun.Der", "Foun.Der", "1.0"), "foun-der", "create"),
        (lambda: put("Acme", "acme", "6.0"), "acme", "new release"),
        (lambda: shutil.rmtree(simple / "other"), "other", "remove project"),
    ]:
        before = [News.of(each).last for each in daemons]
        change()
        for each, last in zip(daemons, before, strict=True):
            rpc: Any = ServerProxy(f"{each.url}pypi")
            wait_until(
                lambda rpc=rpc, last=last, project=project, action=action: (
                    (project, action) in [(one[0], one[3]) for one in rpc.changelog_since_serial(last)]
                ),
                f"{project}: {action}",
                SOON,
            )
            News.of(each).check()

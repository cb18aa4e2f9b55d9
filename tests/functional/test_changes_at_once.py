"""Two daemons and two commands change one root at the same time, compared with a model of what must be.

Everything that is changed is either changed by one of them alone, one after the other, so that each answer
and the end are known; or by all of them at the same moment, so that one must have won.
``CHANGES=10000`` in the environment makes that many.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from random import Random
from subprocess import PIPE, STDOUT, Popen
from threading import Barrier, Event
from typing import Any
from xmlrpc.client import dumps, loads

import pytest
from attrs import define, field
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import script
from harness.rivals import Answered, Commander, Rival, ViaDaemon

from pypid.names import parse_filename

CHANGES = int(os.environ.get("CHANGES", "300"))
PROJECTS = ("people-one", "people-two")
STATUSES = ("active", "archived", "deprecated", "quarantined")
ROUNDS = min(max(2, CHANGES // 50), 80)
"""How often all change the same at the same moment: seven times each."""


@define
class Model:
    """What one rival has done alone."""

    rival: Rival
    random: Random
    people: dict[tuple[str, str], bool] = field(factory=dict)
    yanked: dict[tuple[str, str], str | None] = field(factory=dict)
    rows: dict[tuple[str, str | None], list[str]] = field(factory=lambda: defaultdict(list))
    """What the journal must tell, in this order, by the project, and the version or the person."""
    statuses: list[tuple[Answered, str, str]] = field(factory=list)
    tokens: dict[str, bool] = field(factory=dict)
    users: dict[str, bool] = field(factory=dict)
    changes: int = 0

    def step(self) -> None:
        """Make a change at random, and see that the answer is the right one."""
        self.changes += 1
        kinds = [self.person, self.person, self.yank, self.yank, self.status]
        if isinstance(self.rival, Commander):
            kinds += [self.token, self.user]
        self.random.choice(kinds)()

    def person(self) -> None:
        """Add or remove a person that nobody else adds or removes."""
        key = self.random.choice(PROJECTS), f"{self.rival.name}-{self.random.randrange(4)}"
        was, add = self.people.get(key, False), self.random.random() < 0.5
        answer = self.rival.person(*key, add=add)
        assert answer.done, answer
        if add != was:
            self.rows[key].append(f"{'add' if add else 'remove'} Maintainer {key[1]}")
        self.people[key] = add

    def yank(self) -> None:
        """Yank or un-yank a release that nobody else does."""
        key = self.random.choice(PROJECTS), f"1.{ORDER.index(self.rival.name)}"
        was = self.yanked.get(key)
        reason = None if was is not None else f"reason {self.changes}"
        answer = self.rival.yank(*key, reason)
        assert answer.changed, answer
        self.rows[key].append("unyank release" if reason is None else "yank release")
        self.yanked[key] = reason

    def status(self) -> None:
        """Set the status that all others set, too."""
        status, reason = self.random.choice(STATUSES), f"{self.rival.name} {self.changes}"
        answer = self.rival.status("state", status, reason)
        assert answer.changed, answer
        self.statuses.append((answer, status, reason))

    def token(self) -> None:
        """Make a token, or revoke one that was made here."""
        assert isinstance(self.rival, Commander)
        living = [one for one, lives in self.tokens.items() if lives]
        if living and self.random.random() < 0.4:
            revoked = self.random.choice(living)
            assert self.rival.run("token", "revoke", revoked).done
            self.tokens[revoked] = False
            return
        answer = self.rival.run("token", "create", "--user", self.rival.name)
        assert answer.done, answer
        self.tokens[answer.text.split("token ")[1].split()[0]] = True

    def user(self) -> None:
        """Add or remove a user that nobody else adds or removes; the file is one for all."""
        assert isinstance(self.rival, Commander)
        name = f"{self.rival.name}-{self.random.randrange(3)}"
        if self.users.get(name, False):
            assert self.rival.run("user", "remove", name, "--yes").done
        else:
            assert self.rival.run("user", "add", name, "--password-stdin", typed="correct horse\n").done
        self.users[name] = not self.users.get(name, False)


ORDER = ("daemon-one", "daemon-two", "command-one", "command-two")


@pytest.fixture
def rivals(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str], tmp_path: Path
) -> Iterator[Sequence[Rival]]:
    """Start two daemons and two commands on one root."""
    root = tmp_path / "pypi"
    options = ("--upstream", "none", "--auth", f"htpasswd:{users_file}", "--overwrite", "*.dev*")
    one = daemon(*options, root=root)
    two = daemon(*options, root=root)
    commanders = [Commander(name, root) for name in ORDER[2:]]
    yield [ViaDaemon(ORDER[0], one, user), ViaDaemon(ORDER[1], two, user), *commanders]
    for commander in commanders:
        commander.close()


def journal(daemon: Daemon, since: int = 0) -> list[list[Any]]:
    """Read the journal of a daemon: rows of project, version, time, action and serial."""
    body = dumps((since,), "changelog_since_serial").encode()
    answer = ask(f"{daemon.url}pypi", "POST", headers={"Content-Type": "text/xml"}, body=body)
    ((rows,), _) = loads(answer.body)
    assert isinstance(rows, list)
    return rows


def page(daemon: Daemon, project: str) -> dict[str, Any]:
    """Read a project's page."""
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    found: dict[str, Any] = json.loads(ask(f"{daemon.simple}{project}/", headers=accept).body)
    return found


def maintainers(daemon: Daemon, project: str) -> set[str]:
    """Name the maintainers of a project."""
    body = dumps((project,), "package_roles").encode()
    answer = ask(f"{daemon.url}pypi", "POST", headers={"Content-Type": "text/xml"}, body=body)
    ((roles,), _) = loads(answer.body)
    assert isinstance(roles, list)
    return {name for role, name in roles if role == "Maintainer"}


def follow(daemon: Daemon, over: Event) -> list[list[Any]]:
    """Follow the journal as a mirror does: ask for what comes after the last serial that was seen."""
    seen: list[list[Any]] = []
    while True:
        is_last = over.is_set()
        seen += journal(daemon, seen[-1][4] if seen else 0)
        if is_last:
            return seen
        over.wait(0.2)


def could_be_last(answered: Sequence[tuple[Answered, str, str]]) -> set[tuple[str, str]]:
    """Return the statuses of those changes after which no other began."""
    latest = max(answer.began for answer, _, _ in answered)
    return {(status, reason) for answer, status, reason in answered if answer.ended >= latest}


def test_fault_a2_changes_at_once_are_all_kept(rivals: Sequence[Rival]) -> None:
    one, two = (rival for rival in rivals if isinstance(rival, ViaDaemon))
    daemons = one.daemon, two.daemon
    for project in (*PROJECTS, "state", "races"):
        for number in range(len(ORDER)):
            assert one.upload(project, f"1.{number}", b"")[0].changed
    models = [Model(rival, Random(f"{CHANGES} {rival.name}")) for rival in rivals]
    over = Event()

    def work(model: Model) -> None:
        while model.changes < CHANGES // len(models) - 7 * ROUNDS // len(models):
            model.step()

    with ThreadPoolExecutor(len(models) + 2) as pool:
        following = [pool.submit(follow, daemon, over) for daemon in daemons]
        try:
            for done in [pool.submit(work, model) for model in models]:
                done.result(3600)
            check_races(rivals, pool)
        finally:
            over.set()
        followed = [one.result(60) for one in following]
    for daemon in daemons:
        check_alone(daemon, models)
    check_journal([journal(daemon) for daemon in daemons], followed, models)
    commander = rivals[-1]
    assert isinstance(commander, Commander)
    listed = commander.run("token", "list").text
    users = {name for model in models for name, lives in model.users.items() if lives}
    assert set(commander.run("user", "list").text.split()) == users
    for model in models:
        for token, lives in model.tokens.items():
            assert (token in listed) == lives, (token, lives)


def check_alone(daemon: Daemon, models: Sequence[Model]) -> None:
    """Check that all is as it was left by who alone changed it, and nothing else is there."""
    people = {key: there for model in models for key, there in model.people.items()}
    yanked = {key: reason for model in models for key, reason in model.yanked.items()}
    for project in PROJECTS:
        expected = {name for (where, name), there in people.items() if there and where == project}
        assert maintainers(daemon, project) == expected
        for file in page(daemon, project)["files"]:
            reason = yanked.get((project, parse_filename(file["filename"]).version))
            assert file["yanked"] == (False if reason is None else reason), (project, file)
    told = page(daemon, "state").get("project-status")
    last = could_be_last([one for model in models for one in model.statuses])
    if told is None:  # nothing is said of a project that is active
        assert "active" in {status for status, _ in last}
    else:
        assert (told["status"], told["reason"]) in last


def check_journal(
    journals: Sequence[list[list[Any]]], followed: Sequence[list[list[Any]]], models: Sequence[Model]
) -> None:
    """Check that there is one journal, that rows were only added, and that they are right and in order."""
    [rows, same] = journals
    assert rows == same
    serials = [row[4] for row in rows]
    assert serials == sorted(set(serials))
    for seen in followed:
        assert seen == rows, "a mirror that follows misses a row"
    told = defaultdict(list)
    for project, version, _, action, _ in rows:
        if "Maintainer" in action:
            told[project, action.split()[-1]].append(action)
        elif action.endswith("yank release"):
            told[project, version].append(action)
    expected = {key: actions for model in models for key, actions in model.rows.items()}
    for key, actions in expected.items():
        assert told[key] == actions, key


def check_races(rivals: Sequence[Rival], pool: ThreadPoolExecutor) -> None:
    """Have all do the same to one thing at the same moment: one of them does it, as all can see."""
    uploaders = [rival for rival in rivals if isinstance(rival, ViaDaemon)]

    def at_once(group: Sequence[Any], function: Callable[[Any], Any]) -> list[Any]:
        start = Barrier(len(group))

        def run(one: Any) -> Any:
            start.wait(60)
            return function(one)

        return list(pool.map(run, group))

    for number in range(ROUNDS):
        name, version, dev = f"shared-{number}", f"2.{number}", f"3.{number}.dev1"
        added = at_once(rivals, lambda rival, name=name: rival.person("races", name, add=True))
        assert [answer.done for answer in added] == [True] * len(rivals)
        assert sum(answer.changed for answer in added) == 1, added
        # Of two who publish other bytes under one name, one does.
        published = at_once(
            uploaders, lambda rival, version=version: rival.upload("races", version, rival.name.encode())
        )
        [winner] = [content for answer, content in published if answer.done]
        kept = [digest(uploader.daemon, version) for uploader in uploaders]
        assert kept == [sha256(winner).hexdigest()] * 2
        # Of many who remove it one does, and it does not come back.
        removed = at_once(rivals, lambda rival, version=version: rival.remove("races", version))
        assert sum(answer.done for answer in removed) == 1, removed
        assert not uploaders[0].upload("races", version, b"other")[0].done
        assert [digest(uploader.daemon, version) for uploader in uploaders] == [None, None]
        # Of those who replace a file the last one's is there, and whole.
        assert uploaders[0].upload("races", dev, b"first")[0].done
        replaced = at_once(uploaders, lambda rival, dev=dev: rival.upload("races", dev, rival.name.encode()))
        contents = {sha256(content).hexdigest() for answer, content in replaced if answer.done}
        assert contents
        [there] = {digest(uploader.daemon, dev) for uploader in uploaders}
        assert there in contents
    for uploader in uploaders:
        expected = {f"shared-{number}" for number in range(ROUNDS)}
        assert maintainers(uploader.daemon, "races") == expected


def digest(daemon: Daemon, version: str) -> str | None:
    """Return the digest of the file of a version that races are about, of its bytes and on its page."""
    for file in page(daemon, "races")["files"]:
        if parse_filename(file["filename"]).version == version:
            told: str = file["hashes"]["sha256"]
            body = ask(f"{daemon.url}packages/races/{file['filename']}").body
            assert sha256(body).hexdigest() == told
            return told
    return None


def test_fault_a2_six_owners_at_once(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """Whoever was told to be an owner is one, in six processes at once, beside a daemon."""
    started = daemon("--upstream", "none", "--auth", f"htpasswd:{users_file}")
    assert ViaDaemon("daemon", started, user).upload("acme", "1.0", b"")[0].changed
    command = [script("pypid"), "--root", str(started.root), "owner"]
    options: dict[str, Any] = {"stdout": PIPE, "stderr": STDOUT, "text": True, "env": daemon_environment()}
    names = [f"user{number}" for number in range(6)]
    processes = [Popen([*command, "add", "acme", name], **options) for name in names]
    said = [process.communicate(timeout=120)[0] for process in processes]
    for name, line in zip(names, said, strict=True):
        assert f"{name} is an owner of acme\n" in line, said
    listed = Popen([*command, "list", "acme"], **options).communicate(timeout=120)[0]
    assert sorted(listed.split()[1::2]) == [user[0], *names]

"""Uploads and changes of projects that change during a check, or while waiting for a lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import define, field

from pypid.access.open import OpenAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.index.administration import ProjectAdministration
from pypid.model import Action, Principal, Role, Status
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import wheel
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now
from pypid.testing.web import NOW, Answer, MemorySite, basic, upload_form
from pypid.testing.workers import HeldWorkers
from pypid.upload import UploadRules

USERS = MemoryAuthenticator(dict.fromkeys(("ann", "bob"), "secret"))
ANN, BOB = basic("ann", "secret"), basic("bob", "secret")
ONE, OTHER = wheel("acme", "1.0"), wheel("acme", "1.0", payload=b"other")
TWO = wheel("acme", "2.0")
DEV, NEW_DEV, NEWEST_DEV = (wheel("acme", "1.0.dev1", payload=one) for one in (b"", b"new", b"newest"))


class TheirsAlone(OpenAccess):
    """Who publishes in a project must have a role in it; anybody may make one."""

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        permitted = super().permits(principal, action, project, roles)
        return permitted and (action is not Action.UPLOAD or bool(roles))


def form(build: tuple[str, bytes], who: dict[str, str]) -> bytes:
    """Put an upload together, head and body."""
    headers, body = upload_form(*build, "acme", build[0].split("-")[1])
    lines = {"Host": "x", "Content-Length": str(len(body)), **headers, **who}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


@define
class World:
    """An index where bob uploads a file whose check takes as long as it takes."""

    root: Path
    site: MemorySite = field(init=False)
    changes: ProjectAdministration = field(init=False)
    held: HeldWorkers = field(factory=HeldWorkers, init=False)

    def __attrs_post_init__(self) -> None:
        storage = InlineStorage(DirectoryStorage(self.root))
        rules = UploadRules(overwrite=("*.dev*",))
        self.site = MemorySite(storage=storage, authenticators=[USERS], policy=TheirsAlone(), rules=rules)
        self.changes = ProjectAdministration(storage, self.site.catalog, lambda: NOW)

    def upload(self, build: tuple[str, bytes], who: dict[str, str]) -> Answer:
        """Upload a file at once."""
        connection = self.site.connect()
        connection.send(form(build, who))
        (answer,) = connection.answers("POST")
        return answer

    def upload_slowly(
        self, build: tuple[str, bytes], who: dict[str, str], meanwhile: Callable[[], object]
    ) -> Answer:
        """Upload a file, and have something happen while its archive is being checked."""
        index = self.site.index
        connection = self.site.connect()
        quick, checking = index.checks, HeldWorkers()
        index.checks = checking
        connection.send(form(build, who))
        checking.work()  # the form
        assert not checking.is_idle, "the archive is not being checked"
        index.checks = quick
        meanwhile()
        checking.work_all()
        (answer,) = connection.answers("POST")
        return answer

    def become(self, *owners: str, maintainers: tuple[str, ...] = ()) -> None:
        """Have others own and maintain the project."""
        for role, names in ((Role.OWNER, owners), (Role.MAINTAINER, maintainers)):
            for name in names:
                now(self.changes.add_person("acme", role, name))
            for name in now(self.changes.people("acme"))[role]:
                if name not in names:
                    now(self.changes.remove_person("acme", role, name))

    @property
    def files(self) -> list[str]:
        """Name the files of the project."""
        project = now(self.site.catalog.project("acme"))
        return [file.filename for file in project.files] if project is not None else []

    def content(self, filename: str) -> bytes:
        """Read a file from the disk."""
        return (self.root / "simple" / "acme" / filename).read_bytes()

    def nothing_staged(self) -> bool:
        """Return whether all that was received is published or thrown away."""
        return not list(self.root.glob(".pypid/staging/*/*"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    assert world.upload(ONE, BOB).status == 200
    return world


def test_a_slow_check_alone_changes_nothing(world: World) -> None:
    assert world.upload_slowly(TWO, BOB, lambda: None).status == 200
    assert world.files == [ONE[0], TWO[0]]


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.QUARANTINED])
def test_fault_a4_archived_or_quarantined_meanwhile(world: World, status: Status) -> None:
    answer = world.upload_slowly(TWO, BOB, lambda: now(world.changes.set_status("acme", status, "")))
    assert (answer.status, f"acme is {status.value}" in answer.text) == (403, True)
    now(world.changes.set_status("acme", Status.ACTIVE, ""))
    assert world.files == [ONE[0]]
    assert world.nothing_staged()


def test_fault_a4_became_another_s_meanwhile(world: World) -> None:
    answer = world.upload_slowly(TWO, BOB, lambda: world.become("ann"))
    assert (answer.status, "bob may not upload here" in answer.text) == (403, True)
    assert (world.files, world.nothing_staged()) == ([ONE[0]], True)


def test_fault_a4_an_owner_who_becomes_a_maintainer_still_may(world: World) -> None:
    assert world.upload_slowly(TWO, BOB, lambda: world.become("ann", maintainers=("bob",))).status == 200


def test_fault_a4_founded_by_another_meanwhile(tmp_path: Path) -> None:
    """Of two who upload the first file of a project one makes it, and the other has no rights in it."""
    world = World(tmp_path)
    answer = world.upload_slowly(TWO, BOB, lambda: world.upload(ONE, ANN))
    assert (answer.status, "bob may not upload here" in answer.text) == (403, True)
    assert world.files == [ONE[0]]
    assert now(world.changes.people("acme")) == {Role.OWNER: ("ann",), Role.MAINTAINER: ()}


def test_fault_a4_removed_meanwhile(world: World) -> None:
    """A name that was published and removed takes no other bytes; the very same may come back."""

    def publish_and_remove() -> None:
        assert world.upload(TWO, BOB).status == 200
        now(world.changes.remove("acme", "2.0"))

    other = wheel("acme", "2.0", payload=b"other")
    answer = world.upload_slowly(other, BOB, publish_and_remove)
    assert (answer.status, "File already exists" in answer.text) == (409, True)
    assert (world.files, world.nothing_staged()) == ([ONE[0]], True)
    same = world.upload_slowly(ONE, BOB, lambda: now(world.changes.remove("acme", "1.0")))
    assert (same.status, world.files) == (200, [ONE[0]])


def test_fault_a4_published_meanwhile(world: World) -> None:
    """By the very same bytes, that is as good; by others, it is not."""
    same = world.upload_slowly(TWO, BOB, lambda: world.upload(TWO, BOB))
    assert (same.status, "published already, with the same content" in same.text) == (200, True)
    one = wheel("acme", "3.0")
    answer = world.upload_slowly(one, BOB, lambda: world.upload(wheel("acme", "3.0", payload=b"other"), BOB))
    assert (answer.status, "File already exists" in answer.text) == (409, True)
    assert world.content(one[0]) == wheel("acme", "3.0", payload=b"other")[1]


def test_fault_a4_replaced_meanwhile(world: World) -> None:
    """What takes the place of a file takes that of the very file that was there."""
    assert world.upload(DEV, BOB).status == 200
    answer = world.upload_slowly(NEWEST_DEV, BOB, lambda: world.upload(NEW_DEV, BOB))
    assert (answer.status, "File already exists" in answer.text) == (409, True)
    assert world.content(DEV[0]) == NEW_DEV[1]
    assert world.upload_slowly(NEWEST_DEV, BOB, lambda: world.upload(NEWEST_DEV, BOB)).status == 200
    assert world.content(DEV[0]) == NEWEST_DEV[1]


def test_fault_a4_owners_change_while_a_change_waits(tmp_path: Path) -> None:
    """Who waits for the lock of a project is judged by what they are in it when they get it."""
    world = World(tmp_path)
    assert world.upload(ONE, BOB).status == 200
    workers = HeldWorkers()
    world.site.storage._changing = workers
    connection = world.site.connect()
    auth = f"Authorization: {BOB['Authorization']}"
    connection.send(
        f"POST /project/acme/1.0/yank HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{auth}\r\n\r\n".encode()
    )
    assert not workers.is_idle
    with world.site.storage.blocking.changing("acme") as locked:
        record = locked.project.record
        locked.amend_project(type(record)(owners=("ann",)))
    workers.work_all()
    (answer,) = connection.answers("POST")
    assert answer.status == 403
    project = now(world.site.catalog.project("acme"))
    assert project is not None
    assert [file.yanked for file in project.files] == [None]


def test_fault_a2_two_indexes_on_one_root(tmp_path: Path) -> None:
    """What two of them change at once, as a daemon and the command do, is all kept."""
    worlds = [World(tmp_path), World(tmp_path)]
    assert worlds[0].upload(ONE, BOB).status == 200
    names = [f"user{number:02}" for number in range(20)]

    def add(number: int) -> None:
        for name in names[number::2]:
            assert now(worlds[number].changes.add_person("acme", Role.MAINTAINER, name)) == [name]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, (0, 1)))
    assert sorted(now(worlds[0].changes.people("acme"))[Role.MAINTAINER]) == names

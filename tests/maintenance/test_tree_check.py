"""The check of a tree while somebody changes it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from pypid.maintenance.findings import Result
from pypid.maintenance.tree_check import TreeCheck
from pypid.model import FileRecord
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.locks import locked
from pypid.storage.projects import Projects
from pypid.storage.records import record_name, to_json
from pypid.storage.warn_once import WarnOnce
from pypid.testing.builds import sdist

NAME, DATA = sdist("foo", "1.0")


def check(simple: Path) -> list[Result]:
    return list(TreeCheck(simple, lambda _: None, lambda _: True, repairing=True).run())


def waits_for_a_lock(directory: Path) -> bool:
    """True if a thread waits for the lock of a directory, by proc(5)."""
    inode = f":{directory.stat().st_ino} "
    return any("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_project_that_is_being_published_is_not_damaged(tmp_path: Path) -> None:
    """Whoever publishes writes the record first: the check waits for the lock, and looks once more."""
    simple = tmp_path / "simple"
    foo = simple / "foo"
    foo.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        with locked(Projects(simple, ChangeDetector(), WarnOnce()), "foo"):
            (tmp_path / NAME).write_bytes(DATA)
            modified_ns = (tmp_path / NAME).stat().st_mtime_ns
            digest = sha256(DATA).hexdigest()
            record = FileRecord(datetime.now(UTC), "ci", len(DATA), modified_ns, digest)
            (foo / record_name(NAME)).write_bytes(to_json(record, "foo", NAME))
            checking = pool.submit(check, simple)
            deadline = time.monotonic() + 60
            while not waits_for_a_lock(foo) and not checking.done():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            (tmp_path / NAME).rename(foo / NAME)
        assert checking.result(60) == []
    (foo / NAME).unlink()
    [found] = check(simple)
    assert found.is_wrong
    assert "it was published, and is missing" in found.line


def test_a_project_that_goes_away_meanwhile(tmp_path: Path) -> None:
    """It is no fault, whenever it goes."""
    simple = tmp_path / "simple"
    (simple / "foo").mkdir(parents=True)

    def known(project: str) -> None:
        (simple / project).rmdir()

    assert list(TreeCheck(simple, known, lambda _: True).run()) == []

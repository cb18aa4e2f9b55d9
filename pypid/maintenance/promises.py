"""The promises of a file system on which an index relies, each tried out in a scratch directory."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import mkdtemp

from attrs import frozen

__all__ = ["LEAST_SPACE", "Outcome", "try_promises"]

LEAST_SPACE = 1024**3
"""The space below which an index soon refuses uploads, in bytes."""

_TRY_LOCK = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""


@frozen
class Outcome:
    """The outcome of a trial."""

    promise: str
    """The promise, as a sentence."""
    fault: str | None
    """The reason why the file system does not keep it; ``None`` if it does."""


class _Broken(Exception):
    """A promise is not kept; the text says how."""


def try_promises(directory: Path) -> Iterator[Outcome]:
    """Try all promises in a new directory below ``directory``, which is removed afterwards. Blocks.

    :raises OSError: no directory can be made there.
    """
    trials: list[tuple[str, Callable[[Path], None]]] = [
        ("a link makes a name in one step, and never replaces a file", _link),
        ("a rename replaces a file in one step", _rename),
        ("files and directories can be synced", _sync),
        ("the lock of one process keeps others out", _lock),
        ("an open file can be read when its name is gone, and leaves nothing", _unlink),
        ("times are kept to the nanosecond", _time),
        ("names that differ in case are two names", _case),
        ("SQLite can share a database between processes", _sqlite),
        ("there is room for uploads", _space),
    ]
    for promise, trial in trials:
        with _scratch(directory) as scratch:
            try:
                trial(scratch)
            except _Broken as broken:
                yield Outcome(promise, str(broken))
            except (OSError, sqlite3.Error) as error:
                yield Outcome(promise, str(getattr(error, "strerror", None) or error))
            else:
                yield Outcome(promise, None)


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    path = Path(mkdtemp(prefix=".pypid-check-", dir=directory))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _link(scratch: Path) -> None:
    one, other, name = scratch / "one", scratch / "other", scratch / "name"
    one.write_bytes(b"one")
    other.write_bytes(b"other")
    os.link(one, name)
    if not os.path.samestat(one.stat(), name.stat()) or one.stat().st_nlink != 2:
        raise _Broken("the new name is another file")
    with suppress(FileExistsError):
        os.link(other, name)
        raise _Broken("a link has replaced a file")
    if name.read_bytes() != b"one":
        raise _Broken("a link has changed a file")


def _rename(scratch: Path) -> None:
    old, new = scratch / "old", scratch / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    with old.open("rb") as file:
        new.rename(old)
        if old.read_bytes() != b"new" or file.read() != b"old" or new.exists():
            raise _Broken("the old file is not replaced, or cannot be read to its end")


def _sync(scratch: Path) -> None:
    (scratch / "file").write_bytes(b"x")
    for path in (scratch / "file", scratch):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(scratch: Path) -> None:
    """Lock a directory, as is done with a project's, and let another process try the same."""
    descriptor = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(descriptor, LOCK_EX)
        if _other_process(scratch) != 3:
            raise _Broken("another process got the same lock")
    finally:
        os.close(descriptor)
    if _other_process(scratch) != 0:
        raise _Broken("another process did not get the lock when it was free")


def _other_process(path: Path) -> int:
    command = [sys.executable, "-c", _TRY_LOCK, str(path)]  # all of it is ours
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode  # noqa: S603


def _unlink(scratch: Path) -> None:
    path = scratch / "file"
    path.write_bytes(b"x" * 10_000)
    with path.open("rb") as file:
        path.unlink()
        if file.read() != b"x" * 10_000:
            raise _Broken("its bytes are gone")
        left = [entry.name for entry in scratch.iterdir()]
    if left:
        raise _Broken(f"{left[0]} was left in its place")


def _time(scratch: Path) -> None:
    path, time = scratch / "file", 1_700_000_000_123_456_789
    path.write_bytes(b"")
    os.utime(path, ns=(time, time))
    if path.stat().st_mtime_ns != time:
        raise _Broken(f"a time came back {abs(path.stat().st_mtime_ns - time)} ns off")


def _case(scratch: Path) -> None:
    (scratch / "name").touch()
    if (scratch / "NAME").exists():
        raise _Broken("they are one and the same")


def _sqlite(scratch: Path) -> None:
    path = scratch / "x.sqlite"
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path)) as two:
        [[mode]] = one.execute("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise _Broken(f"it has the journal {mode}, and not WAL")
        with one:
            one.execute("CREATE TABLE t (x)")
            one.execute("INSERT INTO t VALUES (1)")
        if two.execute("SELECT x FROM t").fetchall() != [(1,)]:
            raise _Broken("a change is not seen")


def _space(scratch: Path) -> None:
    found = os.statvfs(scratch)
    free = found.f_bavail * found.f_frsize
    if free < LEAST_SPACE:
        raise _Broken(f"{free // 1024**2} MiB are free, which is soon too little")
    if found.f_files and found.f_favail < 10_000:
        raise _Broken(f"there is room for {found.f_favail} more files only")

"""Tests of several processes on one root, and of the leftovers of killed ones."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from pypid.interfaces import IStorage
from pypid.names import Sidecar
from pypid.storage.directory import DirectoryStorage
from pypid.testing.fakes import Synchronous
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import StorageSteps, now, scratch

SDIST = "foo-1.0.tar.gz"
PUBLISHER = [sys.executable, str(Path(__file__).with_name("publisher.py"))]


def start(root: Path, filename: str, seed: str, threads: int) -> subprocess.Popen[str]:
    """Start a publisher, and wait until it has staged its files."""
    process = subprocess.Popen(
        [*PUBLISHER, str(root), filename, seed, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "staged\n"
    return process


def beside(digest: str) -> list[bytes]:
    """Return what the publisher keeps beside a file."""
    return [f"{word}: {digest}".encode() for word in ("Body", "Signed", "Made")]


class TestProcesses(StorageSteps, Synchronous):
    """Several daemons may share a root."""

    def make_storage(self) -> IStorage:
        self.root = scratch(self)
        return DirectoryStorage(self.root)

    def staged(self) -> list[Path]:
        return list(self.root.glob(".pypid/staging/*/*"))

    def reopen(self) -> None:
        """Open a further storage on the root, as another daemon that starts."""
        other = DirectoryStorage(self.root)
        other.open()
        self.addCleanup(other.close)

    @pytest.mark.slow
    def test_t11_race(self) -> None:
        """Of 32 publishers in 4 processes one wins; record and sidecar files are those of its bytes."""
        processes = [start(self.root, SDIST, f"process {number}", 8) for number in range(4)]
        with ThreadPoolExecutor(4) as pool:
            outputs = list(pool.map(lambda process: process.communicate("go\n")[0], processes))
        outcomes = sorted("".join(outputs).splitlines())
        self.assertEqual(outcomes[:31], ["FileExists"] * 31)
        [winner] = outcomes[31:]
        data = self.bytes_of("foo", SDIST)
        digest = sha256(data).hexdigest()
        self.assertEqual(winner, f"published {digest}")
        [file] = self.files("foo")
        assert file.record is not None
        self.assertTrue(file.untouched)
        self.assertEqual(file.record.sha256, digest)
        self.assertEqual([self.sidecar("foo", SDIST, one) for one in Sidecar], beside(digest))
        self.assertEqual(self.staged(), [])
        self.assertEqual(len(list((self.root / "simple" / "foo").iterdir())), 5)

    @pytest.mark.slow
    def test_living_process(self) -> None:
        """What a living process is receiving is not swept when another one starts."""
        process = start(self.root, SDIST, "living", 3)
        self.reopen()
        self.assertEqual(len(self.staged()), 3)
        output, _ = process.communicate("go\n")
        self.assertEqual(len(re.findall("published", output)), 1)
        self.assertEqual(self.names("foo"), [SDIST])

    @pytest.mark.slow
    def test_dead_process(self) -> None:
        """What a process was receiving that was killed is swept when the next one starts."""
        process = start(self.root, SDIST, "dead", 3)
        process.kill()
        process.communicate()
        self.assertEqual(len(self.staged()), 3)
        self.reopen()
        self.assertEqual(self.staged(), [])
        self.assertEqual(len(list((self.root / ".pypid" / "staging").iterdir())), 2)
        self.assertEqual(list((self.root / "simple").iterdir()), [])


SYSTEM_CALLS = ("mkdirat", "write", "fsync", "linkat", "unlinkat")
"""Those that change the disk. After any other, a kill finds the disk as after the one before."""


def _strace_works() -> bool:
    strace = shutil.which("strace")
    if strace is None:
        return False
    command = [strace, "-f", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL:when=1", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


def _killed_at(call: str, number: int, directory: Path) -> bool:
    """Kill a publisher as it begins a system call; check what is left. Tell if it came to that."""
    root = directory / f"{call}-{number}"
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}"]
    command += ["-e", f"inject={call}:signal=KILL:when={number}"]
    done = subprocess.run(
        [*command, *PUBLISHER, str(root), SDIST, "killed", "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    _check(root, acknowledged="published" in done.stdout)
    return done.returncode != 0


def _check(root: Path, acknowledged: bool) -> None:
    """Check that a file is there whole, or not at all; the latter only if nobody was told it is."""
    storage = InlineStorage(DirectoryStorage(root))
    storage.open()
    kept = now(storage.project("foo"))
    if kept is None:
        assert not acknowledged
        assert list((root / "simple").iterdir()) == []
    else:
        digest = sha256((root / "simple" / "foo" / SDIST).read_bytes()).hexdigest()
        [file] = kept.files
        assert file.untouched
        assert file.record.sha256 == digest
        assert [now(storage.sidecar("foo", SDIST, one)) for one in Sidecar] == beside(digest)
    storage.close()
    assert list(root.glob(".pypid/staging/*")) == []


@pytest.fixture(scope="module")
def strace() -> None:
    if not _strace_works():
        pytest.skip(
            "needs strace and the right to trace: apt-get install strace, CAP_SYS_PTRACE in containers"
        )
    yield


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
def test_t64_b268_killed_at_each_system_call(tmp_path: Path) -> None:
    """kill -9 at any moment of a publish leaves the file whole or not there."""

    def all_of(call: str) -> int:
        number = 1
        while _killed_at(call, number, tmp_path):
            number += 1
        return number - 1

    with ThreadPoolExecutor(4) as pool:
        kills = dict(zip(SYSTEM_CALLS, pool.map(all_of, SYSTEM_CALLS), strict=True))
    # Fewer would mean that a system call goes by another name here.
    assert min(kills.values()) >= 4, kills

"""Worker processes: real ones, which are started, killed, left idle and ended."""

import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from pypid import archives
from pypid.errors import InvalidArchive, StorageUnavailable
from pypid.names import parse_filename
from pypid.runtime import worker_processes
from pypid.runtime.worker_processes import IDLE, WorkerProcesses
from pypid.testing.builds import wheel


class Suicide:
    """A thing that kills the process that unpickles it."""

    def __reduce__(self) -> tuple[object, ...]:
        """Return what unpickling calls."""
        return signal.raise_signal, (signal.SIGKILL,)


class Hang:
    """A thing that takes a minute to unpickle."""

    def __reduce__(self) -> tuple[object, ...]:
        """Return what unpickling calls."""
        return time.sleep, (60,)


class Identity:
    """A thing that is unpickled as the id of the process that does it."""

    def __reduce__(self) -> tuple[object, ...]:
        """Return what unpickling calls."""
        return os.getpid, ()


class Nice:
    """A thing that is unpickled as the niceness of the process that does it."""

    def __reduce__(self) -> tuple[object, ...]:
        """Return what unpickling calls."""
        return os.nice, (0,)


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the processes."""
    return Clock()


@pytest.fixture
def processes(clock: Clock) -> Iterator[WorkerProcesses]:
    """Give processes, and end them."""
    service = WorkerProcesses(clock)
    service.startService()
    before = descriptors()
    yield service
    if service.running:
        service.stopService()
    assert descriptors() == before


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def unpickle(processes: WorkerProcesses, path: Path, thing: object) -> object:
    """Unpickle a thing in one of the processes, and return it."""
    path.write_bytes(pickle.dumps(thing))
    with path.open("rb") as file:
        return processes.call(pickle.load, file)


def is_running(pid: int) -> bool:
    """True if there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_call_gets_the_file_from_its_beginning_and_all_arguments(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    with path.open("rb") as file:
        file.read(3)
        assert processes.call(BufferedReader.read, file, 4) == b"some"
        assert processes.call(BufferedReader.read, file, -1) == b"some bytes"


def test_long_results_arrive_whole(processes: WorkerProcesses, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(long := os.urandom(3_000_000))
    with path.open("rb") as file:
        assert processes.call(BufferedReader.read, file) == long


def test_an_error_is_raised_here(processes: WorkerProcesses, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"no archive")
    with path.open("rb") as file, pytest.raises(InvalidArchive, match="does not end as a zip"):
        processes.call(archives.inspect, file, parse_filename("demo-1.0-py3-none-any.whl"))


def test_p18_archives_are_read_in_another_process_which_yields(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(wheel("demo", "1.0")[1])
    with path.open("rb") as file:
        found = processes.call(archives.core_metadata, file, parse_filename("demo-1.0-py3-none-any.whl"))
    assert found is not None
    assert unpickle(processes, path, Identity()) != os.getpid()
    assert unpickle(processes, path, Nice()) == os.nice(0) + 10


def test_a_process_serves_one_call_after_the_other(processes: WorkerProcesses, tmp_path: Path) -> None:
    first, second = (unpickle(processes, tmp_path / "file", Identity()) for _ in range(2))
    assert first == second


def test_a_file_that_is_only_in_memory_is_read_here(processes: WorkerProcesses) -> None:
    assert processes.call(pickle.load, BytesIO(pickle.dumps(Identity()))) == os.getpid()


def test_an_idle_process_that_was_killed_is_replaced(processes: WorkerProcesses, tmp_path: Path) -> None:
    first = unpickle(processes, tmp_path / "file", Identity())
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    second = unpickle(processes, tmp_path / "file", Identity())
    assert isinstance(second, int)
    assert second != first
    assert not is_running(first)


def test_work_that_kills_its_process_is_given_up_after_a_second_time(
    processes: WorkerProcesses, tmp_path: Path
) -> None:
    with pytest.raises(StorageUnavailable, match="ended from outside"):
        unpickle(processes, tmp_path / "file", Suicide())
    assert isinstance(unpickle(processes, tmp_path / "file", Identity()), int)


def test_work_that_hangs_is_given_up(
    processes: WorkerProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_processes, "PATIENCE", 0.2)
    with pytest.raises(StorageUnavailable):
        unpickle(processes, tmp_path / "file", Hang())


def test_without_processes_the_work_is_done_here_and_that_is_said_once(
    processes: WorkerProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def observe(event: dict[str, object]) -> None:
        if str(event.get("log_namespace")).endswith("WorkerProcesses"):
            said.append(str(event["log_format"]))

    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    globalLogPublisher.addObserver(observe)
    try:
        for _ in range(2):
            assert unpickle(processes, tmp_path / "file", Identity()) == os.getpid()
    finally:
        globalLogPublisher.removeObserver(observe)
    assert len(said) == 1, said
    assert "no process can be started" in said[0]


def test_a_process_that_ends_at_once_counts_as_none(
    processes: WorkerProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert unpickle(processes, tmp_path / "file", Identity()) == os.getpid()


def test_a_process_ends_when_it_has_been_idle_for_long(
    processes: WorkerProcesses, clock: Clock, tmp_path: Path
) -> None:
    pid = unpickle(processes, tmp_path / "file", Identity())
    assert isinstance(pid, int)
    clock.pump([IDLE / 2 - 1])
    assert is_running(pid)
    clock.pump([IDLE / 2] * 3)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():  # until it was waited for
        assert time.monotonic() < deadline
        clock.advance(IDLE / 2)
        time.sleep(0.01)


def test_all_processes_end_with_the_service(processes: WorkerProcesses, tmp_path: Path) -> None:
    pid = unpickle(processes, tmp_path / "file", Identity())
    processes.stopService()
    assert not Path(f"/proc/{pid}").exists()
    late = unpickle(processes, tmp_path / "file", Identity())
    assert late != os.getpid()
    assert not Path(f"/proc/{late}").exists()

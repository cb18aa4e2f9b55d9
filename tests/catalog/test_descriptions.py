"""Many new files are described in worker processes, with the same result as in threads."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from pypid.catalog import scanner
from pypid.catalog.descriptions import Undescribed, describe, describe_all
from pypid.catalog.reader import LARGE
from pypid.catalog.sqlite import SqliteCatalog
from pypid.cli.open_index import run
from pypid.model import Project
from pypid.names import parse_filename
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.runtime.worker_processes import WorkerProcesses
from pypid.runtime.workers import InlineWorkers
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import sdist, wheel

PROJECTS = [f"project-{number}" for number in range(2)]
FILES = scanner.MANY


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a tree of two projects with 50 files, some of which are broken, large or old."""
    for name in PROJECTS:
        directory = tmp_path / "simple" / name
        directory.mkdir(parents=True)
        for number in range(FILES - 3):
            filename, content = wheel(name, f"1.{number}", requires_python=f">=3.{number}")
            (directory / filename).write_bytes(content)
        for filename, content in (sdist(name, "2.0"), wheel(name, "3.0", payload=bytes(LARGE))):
            (directory / filename).write_bytes(content)
        (directory / f"{name.replace('-', '_')}-4.0-py3-none-any.whl").write_bytes(b"no wheel")
    return tmp_path


@pytest.fixture
def processes() -> Iterator[WorkerProcesses]:
    """Give worker processes, and end them."""
    service = WorkerProcesses()
    service.startService()
    yield service
    service.stopService()


def swept(root: Path, processes: WorkerProcesses | None) -> dict[str, Project | None]:
    """Return all projects after a sweep by a new catalog."""
    workers = InlineWorkers()
    storage = ThreadedStorage(DirectoryStorage(root), workers, workers)
    catalog = SqliteCatalog(storage, None, workers, None, None, processes)
    run(catalog.count())
    found = {name: run(catalog.project(name)) for name in PROJECTS}
    catalog.close()
    return found


def timeless(projects: dict[str, Project | None]) -> list[object]:
    """Return what does not depend on the time of the sweep."""
    return [
        (project.name, project.display_name, project.files)
        for project in projects.values()
        if project is not None
    ]


def test_p12_processes_describe_what_threads_describe(root: Path, processes: WorkerProcesses) -> None:
    calls: list[int] = []
    compute = processes.compute
    processes.compute = lambda function, files: calls.append(len(files)) or compute(function, files)  # type: ignore[assignment, method-assign, misc, func-returns-value]
    found = timeless(swept(root, processes))
    assert found == timeless(swept(root, None))
    assert sum(calls) == len(PROJECTS) * (FILES - 1)  # the large ones go alone
    assert len(found) == len(PROJECTS)


def test_p12_the_log_names_a_file_that_a_process_could_not_read(
    root: Path, processes: WorkerProcesses
) -> None:
    lines: list[LogEvent] = []
    globalLogPublisher.addObserver(lines.append)
    try:
        swept(root, processes)
    finally:
        globalLogPublisher.removeObserver(lines.append)
    named = [event["file"] for event in lines if "without its core metadata" in str(event.get("log_format"))]
    assert sorted(named) == [f"project_{number}-4.0-py3-none-any.whl" for number in range(len(PROJECTS))]


class Killer:
    """What kills the process that unpickles it, and is nothing elsewhere."""

    def __init__(self) -> None:
        self.parent = os.getpid()

    def __reduce__(self) -> tuple[object, ...]:
        """Return what unpickling calls."""
        return _kill, (self.parent,)


def _kill(parent: int) -> Killer:
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return Killer()


def test_p12_files_are_read_here_if_the_processes_die_of_them(
    root: Path, processes: WorkerProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = processes.compute
    monkeypatch.setattr(processes, "compute", lambda function, files: deadly(function, [*files, Killer()]))
    assert timeless(swept(root, processes)) == timeless(swept(root, None))


def test_p12_few_files_need_no_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MANY", 4 * FILES + 1)
    processes = WorkerProcesses()  # not started: it would keep a process for nobody to end
    monkeypatch.setattr(processes, "compute", None)
    monkeypatch.setattr(processes, "call", lambda function, file, *args: function(file, *args))
    assert timeless(swept(root, processes)) == timeless(swept(root, None))


def test_the_parts_of_a_description() -> None:
    filename, content = wheel("foo", "1.0", requires_python=">=3.9")
    name = parse_filename(filename, "foo")
    [(description, faults)] = describe_all([Undescribed(name, None, None, b"no provenance", content)])
    assert (description.requires_python, description.provenance) == (">=3.9", None)
    assert [text for text, _ in faults] == ["{file} is served without what lies beside it as its provenance"]
    # The digest and the core metadata that are known already are not looked for.
    metadata = b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n"
    known, faults = describe(BytesIO(b""), Undescribed(name, "0" * 64, metadata, None))
    assert (known.sha256, known.requires_python, faults) == ("0" * 64, None, [])

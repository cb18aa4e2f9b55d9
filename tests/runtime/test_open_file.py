"""Files that close themselves when nobody takes them, and not while a thread reads."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from pypid.runtime import open_file
from pypid.runtime.open_file import OpenFile


def descriptors() -> int:
    """Count the open files of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file."""
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    return path


def test_it_is_read_at_any_offset(path: Path) -> None:
    opened = OpenFile.open(path)
    assert (opened.read(5, 100), opened.read(0, 4), opened.read(99, 1)) == (b"bytes", b"some", b"")
    assert opened.status().st_size == 10
    opened.set_times(1_000, 2_000_000)
    assert opened.status().st_mtime_ns == 2_000_000
    opened.close()
    opened.close()
    for use in (opened.status, lambda: opened.read(0, 1), lambda: opened.set_times(1, 1)):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_links_are_not_followed(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic links"):
        OpenFile.open(link)


def test_fault_a1_what_nobody_takes_is_closed(path: Path) -> None:
    before = descriptors()
    opened = OpenFile.open(path)
    assert descriptors() == before + 1
    del opened
    assert descriptors() == before


def test_fault_a10_it_stays_open_while_a_thread_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread reads from a descriptor that was closed, and may be that of another file by now."""
    opened = OpenFile.open(path)
    reading, go_on = threading.Event(), threading.Event()
    read: list[bytes] = []

    def slow(descriptor: int, length: int, offset: int) -> bytes:
        reading.set()
        assert go_on.wait(60)
        return os.pread(descriptor, length, offset)

    class SlowOs:
        pread = staticmethod(slow)

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

    monkeypatch.setattr(open_file, "os", SlowOs())
    before = descriptors()
    thread = threading.Thread(target=lambda: read.append(opened.read(0, 4)))
    thread.start()
    assert reading.wait(60)
    opened.close()
    assert descriptors() == before
    go_on.set()
    thread.join()
    assert read == [b"some"]
    assert descriptors() == before - 1

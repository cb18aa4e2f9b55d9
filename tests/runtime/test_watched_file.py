"""Files that are read again after a change, and never half-written."""

import errno
import os
from pathlib import Path

import pytest

from pypid.runtime.watched_file import SettledFile, version_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


def test_a_version_is_read_once_it_lasts(path: Path) -> None:
    file = SettledFile(path)
    assert [file.poll() for _ in range(4)] == [None, b"one", None, None]
    path.write_bytes(b"two!")
    assert [file.poll() for _ in range(4)] == [None, b"two!", None, None]


def test_what_goes_on_changing_is_not_read(path: Path) -> None:
    """Of a file that is written bit by bit only the end is seen."""
    file, text = SettledFile(path), b"a file that takes its time"
    for end in range(len(text)):
        path.write_bytes(text[:end])
        assert file.poll() is None
    path.write_bytes(text)
    assert [file.poll() for _ in range(3)] == [None, text, None]


def test_a_writer_that_begins_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SettledFile(path)
    assert file.poll() is None
    read = Path.read_bytes

    def truncated(self: Path) -> bytes:
        self.write_bytes(b"")
        return read(self)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", truncated)
        assert file.poll() is None
    path.write_bytes(b"whole")
    assert [file.poll() for _ in range(3)] == [None, b"whole", None]


def test_another_file_of_the_same_size_and_time(path: Path) -> None:
    file = SettledFile(path)
    assert [file.poll() for _ in range(2)] == [None, b"one"]
    other = path.with_name("other")
    other.write_bytes(b"two")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)
    assert [file.poll() for _ in range(2)] == [None, b"two"]


def test_each_trouble_is_told_once(path: Path) -> None:
    file = SettledFile(path)
    assert [file.poll() for _ in range(2)] == [None, b"one"]
    path.unlink()
    assert file.poll() is None
    with pytest.raises(FileNotFoundError):
        file.poll()
    assert file.poll() is None
    os.mkfifo(path)
    assert file.poll() is None
    with pytest.raises(OSError, match="not a regular file"):
        file.poll()
    assert file.poll() is None
    path.unlink()
    path.write_bytes(b"back")
    assert [file.poll() for _ in range(3)] == [None, b"back", None]


def test_fault_a3_a_version_that_could_not_be_read_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what it changed would not hold until it is changed once more."""
    file = SettledFile(path)

    def failing(self: Path) -> bytes:
        raise OSError(errno.EIO, "failed")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", failing)
        assert file.poll() is None
        with pytest.raises(OSError, match="failed"):
            file.poll()
        assert [file.poll() for _ in range(2)] == [None, None]
    assert [file.poll() for _ in range(2)] == [b"one", None]


def test_fault_a3_what_hides_a_file_is_told_from_its_being_gone(path: Path) -> None:
    there = version_of(path)
    path.unlink()
    assert version_of(path) is None
    path.symlink_to(path)
    assert version_of(path) not in (None, there)

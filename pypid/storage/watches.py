"""Notification of changed directories by Linux, which saves a look at thousands of them.

It calls inotify(7) straight from the C library: Twisted's wrapper keeps a kilobyte of objects for each
directory, and does not report lost events.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from errno import ENOSPC
from functools import cache
from pathlib import Path
from threading import Lock

from attrs import define, field

from pypid.names import is_name, normalize

__all__ = ["Watches"]

_EVENT = struct.Struct("iIII")
_ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE, _GONE = 0x4, 0x8, 0xC0, 0x100, 0x200, 0xC00
_ONLY_DIRECTORIES = 0x1000000 | 0x2000000  # IN_ONLYDIR and IN_DONT_FOLLOW
_MASK = _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _GONE | _ONLY_DIRECTORIES
_OVERFLOW, _IGNORED, _IS_DIRECTORY = 0x4000, 0x8000, 0x40000000
_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "f2fs", "tmpfs", "zfs"})
"""File systems that no other machine can change; inotify would not see such changes."""
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
_MOUNTS = Path("/proc/self/mountinfo")


@define(eq=False)
class Watches:
    """Watches the directories of projects, as many as the system allows; for one thread at a time."""

    simple: Path
    """The directory of projects."""
    _spellings: Callable[[str], Iterable[str]]
    """Returns the known directory names of a project."""
    _descriptor: int = field(default=-1, init=False)
    """The inotify instance; -1 if nothing can be watched."""
    _was_opened: bool = field(default=False, init=False)
    _room: int = field(default=0, init=False)
    _top: int = field(default=-1, init=False)
    """The watch of ``simple/``."""
    _names: dict[int, str] = field(factory=dict, init=False)
    """Names of projects by watch."""
    _watched: set[str] = field(factory=set, init=False)
    _changed: set[str] = field(factory=set, init=False)
    _new: set[str] = field(factory=set, init=False)
    """New directories in other spellings, which ``_spellings`` does not know yet."""
    _lock: Lock = field(factory=Lock, init=False)

    def moved(self, projects: Sequence[str]) -> Sequence[str]:
        """Return the projects that may have changed since the last call for them; all if that is unknown."""
        with self._lock:
            if not self._was_opened:
                self._open()
            if self._descriptor == -1:
                return projects
            self._drain()
            for spelling in self._new.copy():
                name = normalize(spelling)
                self._watched.discard(name)
                if spelling in self._spellings(name) or not (self.simple / spelling).is_dir():
                    self._new.discard(spelling)
            moved = [name for name in projects if name not in self._watched or name in self._changed]
            self._changed.difference_update(moved)
            for name in moved:
                self._watch(name)
            return moved

    def close(self) -> None:
        """End all watches."""
        with self._lock:
            if self._descriptor != -1:
                os.close(self._descriptor)
            self._descriptor, self._was_opened = -1, True

    def _open(self) -> None:
        self._was_opened = True
        if not _is_local(self.simple):
            return
        with suppress(OSError, ValueError):
            # The limit is per user, and other programs need watches too.
            self._room = int(_LIMIT.read_text()) // 2
            self._descriptor = _call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                self._top = self._add(self.simple)
            except OSError:
                os.close(self._descriptor)
                self._descriptor = -1

    def _add(self, directory: Path | str) -> int:
        return _call("inotify_add_watch", self._descriptor, os.fsencode(directory), _MASK)

    def _watch(self, name: str) -> None:
        """Watch all directories of a project, before the caller reads them."""
        for spelling in self._spellings(name):
            if len(self._names) >= self._room:
                return
            try:
                watch = self._add(f"{self.simple}/{spelling}")
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno == ENOSPC:
                    self._room = len(self._names)
                return
            self._names[watch] = name
            self._watched.add(name)

    def _drain(self) -> None:
        """Read and handle all waiting events."""
        with suppress(BlockingIOError):
            while True:
                events = os.read(self._descriptor, 1 << 16)
                start = 0
                while start < len(events):
                    watch, mask, _, length = _EVENT.unpack_from(events, start)
                    start += _EVENT.size + length
                    self._handle(watch, mask, events[start - length : start])

    def _handle(self, watch: int, mask: int, padded: bytes) -> None:
        if mask & _OVERFLOW:
            self._watched.clear()  # so all projects are reported, and watched again
        elif watch == self._top:
            spelling = padded.rstrip(b"\0").decode("ascii", "replace")
            if mask & _IS_DIRECTORY and is_name(spelling):
                # The watched directory may have been renamed.
                self._watched.discard(normalize(spelling))
                if spelling != normalize(spelling):
                    self._new.add(spelling)
            elif mask & (_GONE | _IGNORED) and not padded:
                self._watched.clear()
                self._room = 0  # another directory, if any, has taken the place of simple/
        elif (name := self._names.get(watch)) is not None:
            self._changed.add(name)
            if mask & (_GONE | _IGNORED):
                self._watched.discard(name)
            if mask & _IGNORED:
                del self._names[watch]


def _is_local(directory: Path) -> bool:
    """Return whether a directory is on a file system that only this machine can change."""
    try:
        device = directory.stat().st_dev
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    return any(mount[2] == number and mount[mount.index("-") + 1] in _LOCAL for mount in mounts)


def _call(function: str, *args: int | bytes) -> int:
    """Call a function of the C library. :raises OSError: it failed, or does not exist."""
    try:
        found: int = getattr(_library(), function)(*args)
    except AttributeError as error:
        raise OSError(f"there is no {function}") from error
    if found == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

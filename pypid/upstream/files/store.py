"""Downloaded files in a plain directory tree, which may be read, copied or deleted by hand."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from threading import Lock

from attrs import define, field
from twisted.logger import Logger

from pypid.errors import NotFound
from pypid.model import File
from pypid.names import Sidecar
from pypid.runtime.atomic_files import replace_file, temporary_path
from pypid.runtime.lru import WeightedLRU
from pypid.runtime.open_file import OpenFile
from pypid.upstream.files.digests import Digests, usable_digests
from pypid.upstream.files.eviction import DIGEST_SUFFIX, CacheEviction
from pypid.upstream.files.partial import Partial

__all__ = ["MAX_VERIFIED", "FileStore", "NotHashed"]

MAX_VERIFIED = 10_000
"""Number of files that are remembered as verified; each takes about half a kilobyte of memory."""
_PIECE = 1024**2

_Identity = tuple[int, int, int]
_Found = tuple[_Identity, dict[str, str]]


class NotHashed(Exception):
    """The file is cached, but has to be hashed before it can be used."""


@define(eq=False)
class FileStore:
    """Stores files as ``<directory>/<project>/<filename>``. All methods block, and are thread-safe.

    A file's modification time is its time of publication; its access time is the time of the last
    request. A file is hashed before use, unless this process remembers that it downloaded or hashed
    it. If no page has a digest of a file, its digest is recorded at the first download in
    ``<filename>.sha256``, in the format of ``sha256sum``.
    """

    directory: Path
    """The directory, created when needed. It may be deleted at any time."""
    _partials: Path
    _eviction: CacheEviction
    _verified: WeightedLRU[_Found] = field(factory=lambda: WeightedLRU(MAX_VERIFIED), init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _log = Logger()

    def open(self, project: str, file: File, hashing: bool = True) -> OpenFile | None:
        """Open a file for reading, or return ``None`` unless it exists and matches its page.

        A file that does not match is removed: it was changed from outside, or is outdated.

        :param hashing: whether to hash the file now if necessary, however large it is.
        :raises NotFound: the name is not a possible file name.
        :raises NotHashed: the file has to be hashed, and ``hashing`` is false.
        """
        path = self.path(project, file.filename)
        opened = _open(path)
        if opened is None:
            return None
        try:
            expected = self._expected(project, file)
            right = self._is_verified(path, opened.status(), expected, file.size)
            if right is None and not hashing:
                raise NotHashed
            if right or (right is None and self._verify(path, opened, expected)):
                _touch(opened)
                return opened
            self._log.warn("{path} is not what its page promises; it is removed", path=str(path))
            path.unlink(missing_ok=True)
        except OSError as error:
            self._log.error("Cannot use {path}: {error}", path=str(path), error=error)
        return None

    def check(self, project: str, file: File) -> None:
        """Hash a file, so that :meth:`open` need not.

        :raises NotFound: the name is not a possible file name.
        """
        self.open(project, file)

    def begin(self, project: str, file: File) -> Partial:
        """Create an empty partial file for a download.

        :raises OutOfSpace: the disk is full.
        :raises StorageUnavailable: the file cannot be created.
        """
        self.path(project, file.filename)
        with suppress(OSError):
            self._eviction.make_room_on_disk(file.size or 0)
        return Partial.create(self._partials, Digests(self._expected(project, file)))

    def add(self, partial: Partial, project: str, file: File, modified_ns: int) -> None:
        """Move a verified file to its place, unless it is too large for the cache.

        :raises OSError: the file cannot be moved.
        """
        path = self.path(project, file.filename)
        # Not synced, because clients would have to wait: if a power cut damages it, its digest tells.
        os.utime(partial.path, ns=(time.time_ns(), modified_ns))
        status = partial.path.stat()
        if self._eviction.fits(status.st_size):
            self._eviction.make_room(status.st_size)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.path.rename(path)
            self._remember_verified(path, status, partial.digests.found)

    def recorded_digest(self, project: str, filename: str) -> str | None:
        """Return the SHA-256 digest recorded at the first download of a file, or ``None``."""
        try:
            return self.path(project, filename + DIGEST_SUFFIX).read_text("ascii").split()[0]
        except (OSError, ValueError, IndexError):
            return None

    def record_digest(self, project: str, filename: str, sha256: str) -> None:
        """Record the digest that all later downloads of a file must have.

        :raises OSError: it cannot be written.
        """
        replace_file(self.path(project, filename + DIGEST_SUFFIX), [f"{sha256}  {filename}\n"])

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> tuple[bytes, float] | None:
        """Return a cached sidecar file and its time in seconds since the epoch, or ``None``."""
        opened = _open(self.path(project, sidecar.of(filename)))
        if opened is None:
            return None
        status = opened.status()
        if not S_ISREG(status.st_mode):
            return None
        _touch(opened)
        return opened.read(0, status.st_size), status.st_mtime

    def put_sidecar(self, project: str, filename: str, sidecar: Sidecar, data: bytes, now: float) -> None:
        """Write a sidecar file with the time ``now``. :raises OSError: it cannot be written."""
        path = self.path(project, sidecar.of(filename))
        self._eviction.make_room(len(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(path)
        try:
            temporary.write_bytes(data)
            os.utime(temporary, (time.time(), now))
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)

    def remove_sidecar(self, project: str, filename: str, sidecar: Sidecar) -> None:
        """Remove a sidecar file, if there is one. :raises OSError: it cannot be removed."""
        self.path(project, sidecar.of(filename)).unlink(missing_ok=True)

    def path(self, project: str, filename: str) -> Path:
        """Return the path of a file. :raises NotFound: the name is not a possible file name."""
        for name in (project, filename):
            if not name or name.startswith(".") or "/" in name or "\0" in name:
                raise NotFound("there is no such file")
        return self.directory / project / filename

    def _expected(self, project: str, file: File) -> dict[str, str]:
        """Return the digests that a file must have; empty if none are known."""
        recorded = self.recorded_digest(project, file.filename)
        return usable_digests(file.hashes) or ({"sha256": recorded} if recorded else {})

    def _is_verified(
        self, path: Path, status: os.stat_result, expected: dict[str, str], size: int | None
    ) -> bool | None:
        """Return whether a file has the expected digests; ``None`` if it has to be hashed first."""
        if not expected or size not in (None, status.st_size):
            return False
        with self._lock:
            identity, digests = self._verified.get(str(path)) or (None, {})
        return True if identity == _identity(status) and expected.items() <= digests.items() else None

    def _verify(self, path: Path, opened: OpenFile, expected: dict[str, str]) -> bool:
        """Hash an open file, and return whether it has the expected digests and did not change meanwhile."""
        status = opened.status()
        found = Digests(expected)
        offset = 0
        while piece := opened.read(offset, _PIECE):
            found.update(piece)
            offset += len(piece)
        if found.mismatch() is not None or _identity(opened.status()) != _identity(status):
            return False
        self._remember_verified(path, status, found.found)
        return True

    def _remember_verified(self, path: Path, status: os.stat_result, digests: dict[str, str]) -> None:
        with self._lock:
            self._verified.put(str(path), (_identity(status), digests), 1)


def _open(path: Path) -> OpenFile | None:
    """Open a file for reading; return ``None`` if it cannot be read, or is a symbolic link."""
    try:
        return OpenFile.open(path)
    except OSError:
        return None


def _touch(opened: OpenFile) -> None:
    """Set the access time of an open file to now, also on file systems mounted without access times."""
    with suppress(OSError):
        opened.set_times(time.time_ns(), opened.status().st_mtime_ns)


def _identity(status: os.stat_result) -> _Identity:
    """Return a key that changes when a file is changed or replaced."""
    return status.st_ino, status.st_size, status.st_mtime_ns

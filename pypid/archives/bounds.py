"""The bounds of reading an archive: in time, memory and bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from tarfile import BLOCKSIZE
from time import thread_time
from typing import BinaryIO, Concatenate, ParamSpec, TypeVar

from pypid.errors import InvalidArchive, PypidError

__all__ = [
    "CHUNK",
    "MAX_INFLATED",
    "MAX_MEMBERS",
    "MAX_METADATA",
    "TOO_MANY",
    "Inflated",
    "Source",
    "bounded",
    "check_size",
    "most_inflated",
]

MAX_METADATA = 2_000_000
MAX_MEMBERS = 50_000
MAX_INFLATED = 2 << 30
MAX_RATIO = 50  # the same as PyPI, like the next one
RATIO_COUNTS_FROM = 64 << 20
MAX_ZIP_READ = 16 << 20  # room for the directory of 50,000 members with names of 250 characters
CHUNK = 1 << 16

_ZIP_DIRECTORY_ENTRY = b"PK\1\2"
TOO_MANY = f"the archive has more than {MAX_MEMBERS} members"
_UNREADABLE = "the archive cannot be read: it is damaged, or not of the kind that its name says"

P = ParamSpec("P")
T = TypeVar("T")


class Source(io.RawIOBase):
    """An archive's file with a limit of time, and limits for ``zipfile``.

    ``zipfile`` reads the whole directory in one call, of any length, before it parses it,
    and does not limit the number of members.

    :param seconds: the limit of processor time for the reading, of this thread
        alone, so that a busy machine refuses no archive that an idle one accepts.
    """

    def __init__(self, file: BinaryIO, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._deadline = thread_time() + seconds
        self.failure: OSError | None = None  # zipfile would report it as a fault of the archive

    def check_time(self) -> None:
        """Check that time is left. :raises InvalidArchive: there is none."""
        if thread_time() > self._deadline:
            raise InvalidArchive(f"the archive takes more than {self._seconds:g} seconds to read")

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes; fewer only at the end of the file."""
        self.check_time()
        if size > MAX_ZIP_READ:
            raise InvalidArchive("the archive has a directory that is too long")
        try:
            data = self._file.read(size)
        except OSError as error:
            self.failure = error
            raise
        if data.count(_ZIP_DIRECTORY_ENTRY) > MAX_MEMBERS:
            raise InvalidArchive(TOO_MANY)
        return data

    def read_at(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes from ``offset``. :raises EOFError: there are fewer bytes."""
        self.seek(offset)
        data = self.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, and return it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return ``True``."""
        return True

    @property
    def size(self) -> int:
        """The length of the file in bytes; afterwards the position is 0."""
        size = self.seek(0, io.SEEK_END)
        self.seek(0)
        return size


def bounded(
    function: Callable[Concatenate[Source, P], T],
) -> Callable[Concatenate[BinaryIO, float, P], T]:
    """Decorate a function of a :class:`Source`, so that it takes a file and seconds, with one kind of error.

    The decorated function blocks, and raises :exc:`InvalidArchive` for any fault of the archive, and
    :exc:`OSError` if the file itself cannot be read.
    """

    @wraps(function)
    def read(file: BinaryIO, seconds: float, /, *args: P.args, **kwargs: P.kwargs) -> T:
        source = Source(file, seconds)
        try:
            return function(source, *args, **kwargs)
        except PypidError:
            raise
        except Exception as error:
            if source.failure is not None:
                raise source.failure from None
            # Damaged archives make zipfile and the codecs raise far more than they document.
            raise InvalidArchive(_UNREADABLE) from error

    return read


def check_size(size: int, limit: int = MAX_METADATA, what: str = "metadata") -> None:
    """Check that a member is short enough to be read whole. :raises InvalidArchive: it is not."""
    if size > limit:
        raise InvalidArchive(f"the archive has {what} longer than {limit} bytes")


def most_inflated(size: int) -> int:
    """Return the most bytes to which an honest archive of ``size`` bytes inflates."""
    return max(RATIO_COUNTS_FROM, MAX_RATIO * size)


class Inflated:
    """The inflated bytes of a tar, read only forwards, up to a limit."""

    def __init__(self, stream: io.BufferedIOBase, source: Source, limit: int = MAX_INFLATED) -> None:
        self._stream = stream
        self._source = source
        self._limit = self._left = limit

    def read_block(self) -> bytes:
        """Return the next header block; empty at the end."""
        return self._read(BLOCKSIZE)

    def read(self, size: int) -> bytes:
        """Return the data of a member, and move to the next header."""
        data = self._read_exactly(size)
        self._read_exactly(-size % BLOCKSIZE)
        return data

    def skip(self, size: int) -> None:
        """Skip the data of a member, up to the next header."""
        size += -size % BLOCKSIZE
        self._check_left(size)
        while size:
            size -= len(self._read_exactly(min(size, CHUNK)))

    def is_all_zeros(self) -> bool:
        """Read to the end, and return whether there are only zeros."""
        while data := self._read(CHUNK):
            if data.strip(b"\0"):
                return False
        return True

    def _read(self, size: int) -> bytes:
        self._source.check_time()
        self._check_left(size)
        data = self._stream.read(size)
        self._left -= len(data)
        return data

    def _check_left(self, size: int) -> None:
        if size > self._left:
            amount = f"{self._limit >> 30} GiB" if self._limit >= 1 << 30 else f"{self._limit >> 20} MiB"
            raise InvalidArchive(f"the archive inflates to more than {amount}")

    def _read_exactly(self, size: int) -> bytes:
        data = self._read(size)
        if len(data) < size:
            raise EOFError
        return data

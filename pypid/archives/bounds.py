"""How far the reading of an archive goes, in time, memory and bytes."""

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
MAX_RATIO = 50  # these two are PyPI's
RATIO_COUNTS_FROM = 64 << 20
MAX_ZIP_READ = 16 << 20  # room for the directory of 50,000 members with names of 250 characters
CHUNK = 1 << 16

_ZIP_DIRECTORY_ENTRY = b"PK\1\2"
TOO_MANY = f"the archive has more than {MAX_MEMBERS} members"
_UNREADABLE = "the archive cannot be read: it is damaged, or not of the kind that its name says"

P = ParamSpec("P")
T = TypeVar("T")


class Source(io.RawIOBase):
    """An archive's file, read as long as there is time, and as far as ``zipfile`` may go.

    ``zipfile`` reads the directory at one go, of whatever length, and only then takes it
    apart; it does not care how many members there should be.

    :param seconds: how much of the processor's time the reading may take; that of this thread
        alone, so that a busy machine refuses nothing that an idle one would take.
    """

    def __init__(self, file: BinaryIO, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._deadline = thread_time() + seconds
        self.failure: OSError | None = None  # zipfile would take it for a fault of the archive

    def check_time(self) -> None:
        """See that there is time left."""
        if thread_time() > self._deadline:
            raise InvalidArchive(f"the archive takes more than {self._seconds:g} seconds to read")

    def read(self, size: int = -1) -> bytes:
        """Read on, or give fewer bytes at the end."""
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
        """Read from a place. :raises EOFError: there are fewer bytes."""
        self.seek(offset)
        data = self.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell the place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Say that it is."""
        return True

    @property
    def size(self) -> int:
        """How many bytes the file has; the place is the beginning after that."""
        size = self.seek(0, io.SEEK_END)
        self.seek(0)
        return size


def bounded(
    function: Callable[Concatenate[Source, P], T],
) -> Callable[Concatenate[BinaryIO, float, P], T]:
    """Make a function that reads an archive one of a file and of seconds, with one kind of error.

    :raises InvalidArchive: what the archive made go wrong.
    :raises OSError: the file itself cannot be read.
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
    """See that a member is not too long to be read whole."""
    if size > limit:
        raise InvalidArchive(f"the archive has {what} longer than {limit} bytes")


def most_inflated(size: int) -> int:
    """Give how many bytes an honest archive of so many bytes inflates to at most."""
    return max(RATIO_COUNTS_FROM, MAX_RATIO * size)


class Inflated:
    """The bytes of a tar, inflated: read only forwards, and not too many."""

    def __init__(self, stream: io.BufferedIOBase, source: Source, limit: int = MAX_INFLATED) -> None:
        self._stream = stream
        self._source = source
        self._limit = self._left = limit

    def read_block(self) -> bytes:
        """Give the next header, or nothing at the end."""
        return self._read(BLOCKSIZE)

    def read(self, size: int) -> bytes:
        """Give the data of a member, and go on to the next header."""
        data = self._read_exactly(size)
        self._read_exactly(-size % BLOCKSIZE)
        return data

    def skip(self, size: int) -> None:
        """Go past the data of a member, to the next header."""
        size += -size % BLOCKSIZE
        self._check_left(size)
        while size:
            size -= len(self._read_exactly(min(size, CHUNK)))

    def is_all_zeros(self) -> bool:
        """Read to the end, and tell whether nothing but zeros is there."""
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

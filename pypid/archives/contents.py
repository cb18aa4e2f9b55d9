"""The names and types of an archive's members, checked for dangers to a person who extracts it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise

from attrs import define, field

from pypid.errors import InvalidArchive

__all__ = ["Contents", "MemberType", "printable"]

MAX_PATH = 4096
MAX_PATHS = 16 << 20
MAX_SHOWN = 60

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DRIVE = re.compile(r"[A-Za-z]:")


class MemberType(Enum):
    """The type of a member."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@define
class Contents:
    """The members of an archive; each is validated when it is added."""

    paths: dict[str, MemberType] = field(factory=dict, init=False)
    """The types of members, by name without needless dots and slashes."""
    _size: int = field(default=0, init=False)
    _oddities: dict[str, None] = field(factory=dict, init=False)

    @property
    def top_names(self) -> set[str]:
        """The names at the top level."""
        return {path.partition("/")[0] for path in self.paths}

    def add(self, name: str, kind: MemberType, target: str = "", *, is_symbolic: bool = False) -> str:
        """Validate and add a member.

        :param target: the target, if the member is a link.
        :param is_symbolic: whether the target is relative to the link's directory, not to the top.
        :returns: its name without needless dots and slashes; empty for the top itself.
        :raises InvalidArchive: the member is dangerous to extract, or readers may disagree about it.
        """
        path = self._validated(name)
        if not path:
            if kind is not MemberType.DIRECTORY:
                raise InvalidArchive("the archive has a member without a name")
            return path  # the "./" that some tars begin with
        if kind is not MemberType.DIRECTORY and name.endswith("/"):  # some readers make a directory of it
            raise InvalidArchive(f"the archive has a file that is named as a directory: {printable(name)}")
        if kind is MemberType.LINK and not _stays(path, target, is_symbolic):
            raise InvalidArchive(f"the archive has a link that leads out of it: {printable(name)}")
        if path in self.paths and {kind, self.paths[path]} != {MemberType.DIRECTORY}:
            raise InvalidArchive(f"the archive has a member twice: {printable(name)}")
        self.paths[path] = kind
        self._size += len(path)
        if self._size > MAX_PATHS:
            raise InvalidArchive("the archive has names of members that are too long together")
        return path

    def oddities(self) -> Iterator[str]:
        """Yield the oddities of the archive, after all members were added.

        :raises InvalidArchive: a member lies in another member that is not a directory, such as a link.
        """
        # With the lowest character in place of slashes, the members in a path sort right after it.
        ordered = sorted(path.replace("/", "\0") for path in self.paths)
        for path, after in pairwise(ordered):
            if after.startswith(f"{path}\0"):
                path, after = path.replace("\0", "/"), after.replace("\0", "/")
                if self.paths[path] is not MemberType.DIRECTORY:
                    raise InvalidArchive(
                        f"the archive has a member in what is no directory: {printable(after)}"
                    )
        if MemberType.LINK in self.paths.values():
            self._oddities["the archive has links"] = None
        yield from self._oddities

    def _validated(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if (
            len(name) > MAX_PATH
            or name.startswith("/")
            or ".." in parts
            or "\\" in name
            or _CONTROL.search(name)
            or _DRIVE.match(name)
        ):
            raise InvalidArchive(f"the archive has a member with a dangerous name: {printable(name)}")
        if not name.isprintable():  # this includes surrogates, for bytes that are not UTF-8
            self._oddities["the archive has names of members that cannot be shown"] = None
        return "/".join(parts)


def printable(name: str) -> str:
    """Return a name, shortened and escaped for a message."""
    return ascii(name[:MAX_SHOWN])[:MAX_SHOWN]


def _stays(path: str, target: str, is_symbolic: bool) -> bool:
    """Return whether a link leads to a path in the same top-level directory.

    The meaning of a path that goes up after it went down depends on other links, so that is refused.
    """
    if not target or target.startswith("/") or "\\" in target or _CONTROL.search(target):
        return False
    parts = [part for part in target.split("/") if part not in ("", ".")]
    if not is_symbolic:
        return ".." not in parts and len(parts) > 1 and parts[0] == path.partition("/")[0]
    ups = next((count for count, part in enumerate(parts) if part != ".."), len(parts))
    return ".." not in parts[ups:] and (not ups or ups < path.count("/"))

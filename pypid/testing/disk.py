"""A model of a disk that may lose everything that was not synced when the power is cut.

A write survives after the fsync of its file, and a name after the fsync of its directory. Before
that, each may survive or not, independently of the others: POSIX promises no more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from attrs import define, field, frozen

from pypid.storage.operations import Operations

__all__ = ["Call", "Disk", "Journal", "Layout", "lay_out"]


@frozen
class Call:
    """A system call that changed something; files and directories are inode numbers."""

    name: str
    inode: int
    """The file or directory that was changed."""
    entry: str = ""
    """The name that was created or removed in the directory."""
    target: int | None = None
    """The inode with that name now; ``None`` if the name was removed."""
    data: bytes = b""
    """The bytes that were appended."""
    old_entry: str = ""
    """The old name, which a rename removed atomically."""


class Journal(Operations):
    """Operations that are done, and recorded."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def create(self, directory: int, name: str) -> int:
        """Create a file."""
        file = super().create(directory, name)
        self.calls.append(Call("create", _inode(directory), name, _inode(file)))
        return file

    def write(self, file: int, data: bytes) -> None:
        """Append bytes."""
        super().write(file, data)
        self.calls.append(Call("write", _inode(file), data=data))

    def sync(self, descriptor: int) -> None:
        """Sync a file or directory."""
        super().sync(descriptor)
        self.calls.append(Call("sync", _inode(descriptor)))

    def mkdir(self, directory: int, name: str) -> None:
        """Create a directory."""
        super().mkdir(directory, name)
        self.calls.append(Call("mkdir", _inode(directory), name, _entry(directory, name)))

    def rmdir(self, directory: int, name: str) -> None:
        """Remove a directory."""
        super().rmdir(directory, name)
        self.calls.append(Call("rmdir", _inode(directory), name))

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        """Add a name to a file."""
        super().link(source, name, target, new_name)
        self.calls.append(Call("link", _inode(target), new_name, _entry(target, new_name)))

    def rename(self, source: int, name: str, target: int, new_name: str) -> None:
        """Rename. Between two directories the model counts two changes."""
        super().rename(source, name, target, new_name)
        moved = _entry(target, new_name)
        if _inode(source) == _inode(target):
            self.calls.append(Call("rename", _inode(target), new_name, moved, old_entry=name))
        else:
            self.calls.append(Call("link", _inode(target), new_name, moved))
            self.calls.append(Call("unlink", _inode(source), name))

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name."""
        super().unlink(directory, name)
        self.calls.append(Call("unlink", _inode(directory), name))


def _inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


def _entry(directory: int, name: str) -> int:
    return os.stat(name, dir_fd=directory).st_ino


Names = dict[str, int]
Layout = frozenset[tuple[str, int, bytes | None]]
"""A tree: the path, the inode number and, for a file, the bytes of each entry."""


@define
class Disk:
    """The state that is durable, and the changes that are pending."""

    root: int
    names: dict[int, Names] = field(factory=dict)
    coming_names: dict[int, list[Call]] = field(factory=dict)
    data: dict[int, bytes] = field(factory=dict)
    coming_data: dict[int, bytes] = field(factory=dict)

    @classmethod
    def of(cls, root: Path) -> Disk:
        """Return a disk on which everything below ``root`` is durable."""
        disk = cls(root.stat().st_ino)
        for path in (root, *root.rglob("*")):
            number = path.stat().st_ino
            if path.is_dir():
                disk.names[number] = {child.name: child.stat().st_ino for child in path.iterdir()}
            else:
                disk.data[number] = path.read_bytes()
        return disk

    def do(self, call: Call) -> None:
        """Apply a system call."""
        if call.name == "write":
            self.coming_data[call.inode] = self.coming_data.get(call.inode, b"") + call.data
        elif call.name != "sync":
            self.coming_names.setdefault(call.inode, []).append(call)
            if call.name == "create":
                self.data[call.target or 0] = b""
            if call.name == "mkdir":
                self.names[call.target or 0] = {}
        elif call.inode in self.names:
            self.names[call.inode] = _applied(self.names[call.inode], self.coming_names.pop(call.inode, []))
        else:
            self.data[call.inode] += self.coming_data.pop(call.inode, b"")

    def after_power_cuts(self) -> Iterator[Layout]:
        """Yield each tree that a power cut may leave."""
        directories, name_choices = list(self.names), [self._names_left(number) for number in self.names]
        files, data_choices = list(self.data), [self._data_left(number) for number in self.data]
        for names, data in product(product(*name_choices), product(*data_choices)):
            yield self._layout(
                dict(zip(directories, names, strict=True)), dict(zip(files, data, strict=True))
            )

    def _names_left(self, number: int) -> Sequence[Names]:
        """Return the possible contents of a directory: each pending change survives or not."""
        coming = self.coming_names.get(number, [])
        return [
            _applied(self.names[number], [call for call, lasts in zip(coming, chosen, strict=True) if lasts])
            for chosen in product((False, True), repeat=len(coming))
        ]

    def _data_left(self, number: int) -> Sequence[bytes]:
        """Return the possible contents of a file: none, half or all of the pending bytes, or zeros."""
        coming = self.coming_data.get(number, b"")
        if not coming:
            return [self.data[number]]
        left = (b"", coming[: len(coming) // 2], bytes(len(coming)), coming)
        return [self.data[number] + some for some in left]

    def _layout(self, names: dict[int, Names], data: dict[int, bytes]) -> Layout:
        def walk(number: int, path: str) -> Iterator[tuple[str, int, bytes | None]]:
            for name, child in names[number].items():
                yield f"{path}{name}", child, data.get(child)
                if child in names:
                    yield from walk(child, f"{path}{name}/")

        return frozenset(walk(self.root, ""))


def _applied(names: Names, calls: Iterable[Call]) -> Names:
    result = dict(names)
    for call in calls:
        result.pop(call.old_entry, None)
        if call.target is None:
            result.pop(call.entry, None)
        else:
            result[call.entry] = call.target
    return result


def lay_out(root: Path, layout: Layout, times: Mapping[int, int]) -> None:
    """Create a tree. Names with the same inode number become hard links of one file.

    :param times: modification times, in nanoseconds since the epoch, by the inode's number.
    """
    made: dict[int, Path] = {}
    for path, number, data in sorted(layout, key=lambda item: item[0]):
        target = root / path
        if data is None:
            target.mkdir()
        elif number in made:
            target.hardlink_to(made[number])
        else:
            target.write_bytes(data)
            made[number] = target
            if number in times:
                os.utime(target, ns=(0, times[number]))

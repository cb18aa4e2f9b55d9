"""A model of a disk that loses, when the power is cut, what nobody asked it to keep.

A write lasts after the fsync of its file, and a name after the fsync of its directory. Before,
each may last or not, whatever becomes of the others: that is all that POSIX promises.
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
    """The name that was made or taken away in it."""
    target: int | None = None
    """What has that name now."""
    data: bytes = b""
    """What was appended."""
    old_entry: str = ""
    """The name that was given up for the new one, in the same moment."""


class Journal(Operations):
    """Operations that are done and written down."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def create(self, directory: int, name: str) -> int:
        """Make a file."""
        file = super().create(directory, name)
        self.calls.append(Call("create", _inode(directory), name, _inode(file)))
        return file

    def write(self, file: int, data: bytes) -> None:
        """Append."""
        super().write(file, data)
        self.calls.append(Call("write", _inode(file), data=data))

    def sync(self, descriptor: int) -> None:
        """Make it last."""
        super().sync(descriptor)
        self.calls.append(Call("sync", _inode(descriptor)))

    def mkdir(self, directory: int, name: str) -> None:
        """Make a directory."""
        super().mkdir(directory, name)
        self.calls.append(Call("mkdir", _inode(directory), name, _entry(directory, name)))

    def rmdir(self, directory: int, name: str) -> None:
        """Remove a directory."""
        super().rmdir(directory, name)
        self.calls.append(Call("rmdir", _inode(directory), name))

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        """Give a further name."""
        super().link(source, name, target, new_name)
        self.calls.append(Call("link", _inode(target), new_name, _entry(target, new_name)))

    def rename(self, source: int, name: str, target: int, new_name: str) -> None:
        """Change a name; from one directory to another that is two changes."""
        super().rename(source, name, target, new_name)
        moved = _entry(target, new_name)
        if _inode(source) == _inode(target):
            self.calls.append(Call("rename", _inode(target), new_name, moved, old_entry=name))
        else:
            self.calls.append(Call("link", _inode(target), new_name, moved))
            self.calls.append(Call("unlink", _inode(source), name))

    def unlink(self, directory: int, name: str) -> None:
        """Take a name."""
        super().unlink(directory, name)
        self.calls.append(Call("unlink", _inode(directory), name))


def _inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


def _entry(directory: int, name: str) -> int:
    return os.stat(name, dir_fd=directory).st_ino


Names = dict[str, int]
Layout = frozenset[tuple[str, int, bytes | None]]
"""A tree: paths with inode numbers, and the bytes of files."""


@define
class Disk:
    """What lasts, and what is still on its way."""

    root: int
    names: dict[int, Names] = field(factory=dict)
    coming_names: dict[int, list[Call]] = field(factory=dict)
    data: dict[int, bytes] = field(factory=dict)
    coming_data: dict[int, bytes] = field(factory=dict)

    @classmethod
    def of(cls, root: Path) -> Disk:
        """Give one on which all that is there lasts."""
        disk = cls(root.stat().st_ino)
        for path in (root, *root.rglob("*")):
            number = path.stat().st_ino
            if path.is_dir():
                disk.names[number] = {child.name: child.stat().st_ino for child in path.iterdir()}
            else:
                disk.data[number] = path.read_bytes()
        return disk

    def do(self, call: Call) -> None:
        """Let a system call happen."""
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
        """Give each tree that may be found when the power is back."""
        directories, name_choices = list(self.names), [self._names_left(number) for number in self.names]
        files, data_choices = list(self.data), [self._data_left(number) for number in self.data]
        for names, data in product(product(*name_choices), product(*data_choices)):
            yield self._layout(
                dict(zip(directories, names, strict=True)), dict(zip(files, data, strict=True))
            )

    def _names_left(self, number: int) -> Sequence[Names]:
        """Each coming change of a directory lasts or not, whatever becomes of the others."""
        coming = self.coming_names.get(number, [])
        return [
            _applied(self.names[number], [call for call, lasts in zip(coming, chosen, strict=True) if lasts])
            for chosen in product((False, True), repeat=len(coming))
        ]

    def _data_left(self, number: int) -> Sequence[bytes]:
        """Of coming bytes all may last, or none, or some, or the disk has zeros in their place."""
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
    """Make a tree; names of one inode become names of one file.

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

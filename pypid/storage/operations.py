"""The system calls with which a directory storage changes the disk, and no others.

What a publish promises rests on their order, so tests put some in their place that fail or
that keep a journal.
"""

from __future__ import annotations

import os

__all__ = ["Operations"]


class Operations:
    """Changes to files and directories; these are open descriptors, and names are bare."""

    def create(self, directory: int, name: str) -> int:
        """Make a new, empty file and open it for writing."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o644, dir_fd=directory)

    def write(self, file: int, data: bytes) -> None:
        """Append all of ``data``."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]

    def sync(self, descriptor: int) -> None:
        """Make a file's bytes, or the names in a directory, survive a power cut."""
        os.fsync(descriptor)

    def mkdir(self, directory: int, name: str) -> None:
        """Make a directory."""
        os.mkdir(name, 0o755, dir_fd=directory)

    def rmdir(self, directory: int, name: str) -> None:
        """Remove a directory, if it is empty."""
        os.rmdir(name, dir_fd=directory)

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        """Give the file ``name`` of the directory ``source`` a further name in ``target``, if it is free."""
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def rename(self, source: int, name: str, target: int, new_name: str) -> None:
        """Move a file to another name, in place of what has that name."""
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def unlink(self, directory: int, name: str) -> None:
        """Take a name from a file."""
        os.unlink(name, dir_fd=directory)

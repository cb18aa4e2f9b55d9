"""All system calls by which a directory storage changes the disk.

The promises of a publish rest on their order, so tests replace them by ones that fail, or that
record the calls.
"""

from __future__ import annotations

import os

__all__ = ["Operations"]


class Operations:
    """Changes to files and directories. Directories are open descriptors, and names are bare."""

    def create(self, directory: int, name: str) -> int:
        """Make a new, empty file and return its descriptor, open for writing."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o644, dir_fd=directory)

    def write(self, file: int, data: bytes) -> None:
        """Append all of ``data``."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]

    def sync(self, descriptor: int) -> None:
        """Make a file's bytes, or the names in a directory, durable."""
        os.fsync(descriptor)

    def mkdir(self, directory: int, name: str) -> None:
        """Make a directory."""
        os.mkdir(name, 0o755, dir_fd=directory)

    def rmdir(self, directory: int, name: str) -> None:
        """Remove a directory, if it is empty."""
        os.rmdir(name, dir_fd=directory)

    def link(self, source: int, name: str, target: int, new_name: str) -> None:
        """Link the file ``name`` of the directory ``source`` to a new name in ``target``, if that is free."""
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def rename(self, source: int, name: str, target: int, new_name: str) -> None:
        """Rename a file, and replace any file of the new name."""
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)

    def unlink(self, directory: int, name: str) -> None:
        """Remove a name of a file."""
        os.unlink(name, dir_fd=directory)

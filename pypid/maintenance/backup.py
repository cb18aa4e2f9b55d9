"""The making of a backup beside a running daemon: one tar with a manifest of digests.

The catalog is copied first, and then from the tree what that copy lists. So a file that is published while
the backup is made is either in both or in neither, and a restored index has the serials of the old one.
Each archive is opened together with its record and its sidecar files while its project is locked; its bytes
never change in place, so they are read without the lock.
"""

from __future__ import annotations

import os
import sqlite3
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from stat import S_IMODE
from typing import BinaryIO

from attrs import define, field

from pypid import __version__
from pypid.catalog import tables
from pypid.maintenance.manifest import CATALOG, MANIFEST, Entry, Manifest
from pypid.maintenance.project_check import subject
from pypid.storage.change_detector import ChangeDetector
from pypid.storage.descriptors import list_names, open_file, read_file
from pypid.storage.locks import locked
from pypid.storage.projects import Projects
from pypid.storage.records import MAX_RECORD, from_json, record_name
from pypid.storage.warn_once import WarnOnce

__all__ = ["Backup", "copy_catalog"]


def copy_catalog(path: Path, copy: Path) -> None:
    """Copy a catalog beside its users, as one file. Blocks.

    :raises sqlite3.Error: it cannot be read.
    """
    with closing(sqlite3.connect(path, timeout=30)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = sha256()

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        data = self._file.read(size)
        self.digest.update(data)
        return data


@define(eq=False)
class Backup:
    """Writes a backup. All methods block."""

    _simple: Path
    """The directory of projects."""
    _catalog: Path
    """The copy of the catalog."""
    _root_files: Mapping[str, Path]
    """The files of the root, by name, such as the password file. Those that are missing are left out."""
    _created: datetime
    """The time of the backup, in UTC."""
    _entries: list[Entry] = field(factory=list, init=False)
    _projects: Projects = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._projects = Projects(self._simple, ChangeDetector(), WarnOnce())

    def write(self, file: BinaryIO) -> Manifest:
        """Write the backup to an empty file, and return its manifest.

        :raises OSError: a file cannot be read or written.
        """
        with (
            closing(sqlite3.connect(self._catalog)) as catalog,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name, path in self._root_files.items():
                if path.is_file():
                    with path.open("rb") as opened_file:
                        self._add(tar, name, opened_file)
            with self._catalog.open("rb") as opened_file:
                self._add(tar, CATALOG, opened_file)
            for project, _ in sorted(tables.serials(catalog).items()):
                query = "SELECT filename FROM files WHERE project = ?"
                self._project(tar, project, {name for (name,) in catalog.execute(query, (project,))})
            serial = tables.last_serial(catalog)
            manifest = Manifest(__version__, self._created, serial, tuple(self._entries))
            data = manifest.to_json()
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(data)
            tar.addfile(info, BytesIO(data))
        return manifest

    def _project(self, tar: tarfile.TarFile, project: str, listed: Collection[str]) -> None:
        """Add the files of a project: those that the copy of the catalog lists, and those of no archive."""
        for spelling in self._projects.spellings(project):
            with self._projects.opened(spelling) as directory:
                if directory is None:
                    continue
                for name in sorted(list_names(directory)):
                    # Each of these is replaced as a whole, so it needs no lock.
                    if _is_apart(directory, name, subject(project, name), listed):
                        with suppress(FileNotFoundError), open_file(directory, name) as file:
                            self._add(tar, f"simple/{spelling}/{name}", file)
        for filename in sorted(listed):
            with ExitStack() as stack:
                # The files are open when the lock is released; nobody writes to them afterwards.
                for path, file in list(self._together(project, filename, stack)):
                    self._add(tar, path, file)

    def _together(self, project: str, filename: str, stack: ExitStack) -> Iterator[tuple[str, BinaryIO]]:
        """Open an archive with everything that belongs to it, and yield the paths and the files."""
        with locked(self._projects, project):
            for spelling in self._projects.spellings(project):
                with self._projects.opened(spelling) as directory:
                    if directory is None:
                        continue
                    for name in sorted(list_names(directory)):
                        if subject(project, name) == filename:
                            with suppress(FileNotFoundError):  # it is no regular file
                                file = stack.enter_context(open_file(directory, name))
                                yield f"simple/{spelling}/{name}", file

    def _add(self, tar: tarfile.TarFile, path: str, file: BinaryIO) -> None:
        status, hashing = os.fstat(file.fileno()), _Hashing(file)
        info = tarfile.TarInfo(path)
        info.size, info.mode = status.st_size, S_IMODE(status.st_mode)
        info.mtime = status.st_mtime_ns // 1_000_000_000
        tar.addfile(info, hashing)  # type: ignore[arg-type]  # it only reads
        digest = hashing.digest.hexdigest()
        self._entries.append(Entry(path, status.st_size, digest, status.st_mtime_ns, info.mode))


def _is_apart(directory: int, name: str, owner: str | None, listed: Collection[str]) -> bool:
    """Return whether a name belongs to no archive, as a project's record and those of removed files do."""
    if owner is None:
        return True
    if owner in listed or name != record_name(owner):
        return False
    try:
        return from_json(read_file(directory, name, MAX_RECORD)).removed is not None
    except (OSError, ValueError):
        return True  # damaged, but better there than lost

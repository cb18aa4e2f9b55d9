"""The restoring of a backup: everything is read, hashed and checked before anything is put into place."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from attrs import define

from pypid.errors import CannotStart, InvalidArchive
from pypid.maintenance.catalog_check import CatalogFile, file_fault
from pypid.maintenance.manifest import CATALOG, MANIFEST, Manifest, is_safe
from pypid.maintenance.tree_check import TreeCheck
from pypid.runtime.layout import Layout
from pypid.storage.descriptors import opened

__all__ = ["Restored", "is_running", "restore"]

BLOCK = 1024 * 1024
MAX_MANIFEST = 1024 * 1024 * 1024
"""The greatest length of a manifest, in bytes: several million files."""


@define
class Restored:
    """What a restoring did."""

    manifest: Manifest
    """The manifest of the backup."""
    faults: Sequence[str]
    """What was wrong in the index already when the backup was made."""
    has_catalog: bool
    """Whether the catalog was restored, with its serials."""


def is_running(layout: Layout) -> bool:
    """Return whether a process, such as the daemon, has the index open. Blocks."""
    for directory in layout.staging.glob("*/"):
        try:
            with opened(directory) as descriptor:
                flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            continue
    return False


def restore(file: BinaryIO, root: Path) -> Restored:
    """Restore a backup to a root that has no projects. Blocks.

    :raises InvalidArchive: the backup is damaged or incomplete; nothing was changed.
    :raises CannotStart: the root has projects, or another password file; nothing was changed.
    :raises OSError: something cannot be written; nothing was changed, unless the disk fails at the very end.
    """
    layout = Layout(root)
    if layout.projects.is_dir() and any(layout.projects.iterdir()):
        raise CannotStart(f"{root} has projects: restore to a new root, or move {layout.projects} away")
    running = is_running(layout)
    layout.state.mkdir(parents=True, exist_ok=True)
    with _scratch(layout.state) as scratch:
        manifest = _extract(file, scratch)
        staged = Layout(scratch)
        staged.projects.mkdir(exist_ok=True)
        faults = _faults(staged)
        taken = [path.name for path in _root_files(scratch) if _differs(path, root / path.name)]
        if taken:
            raise CannotStart(f"{root} has another {', '.join(taken)}: move it, or restore to a new root")
        os.sync()
        for path in _root_files(scratch):
            path.replace(root / path.name)
        layout.projects.mkdir(exist_ok=True)
        for path in sorted(staged.projects.iterdir()):
            path.rename(layout.projects / path.name)
        has_catalog = staged.catalog.exists() and not running
        if has_catalog:
            for suffix in ("-wal", "-shm"):
                layout.catalog.with_name(layout.catalog.name + suffix).unlink(missing_ok=True)
            staged.catalog.replace(layout.catalog)
        os.sync()
    return Restored(manifest, faults, has_catalog)


@contextmanager
def _scratch(state: Path) -> Iterator[Path]:
    """Make a directory on the file system of the root, and remove it after the block."""
    path = Path(mkdtemp(prefix="restore-", dir=state))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _extract(file: BinaryIO, target: Path) -> Manifest:
    """Write all files of a backup below a directory, and compare them with the manifest at its end."""
    found: dict[str, tuple[int, str]] = {}
    manifest: Manifest | None = None
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or manifest is not None or member.name in found:
                    raise InvalidArchive(f"the backup has an entry {member.name!r} that pypid never writes")
                if member.name == MANIFEST:
                    manifest = Manifest.from_json(content.read(MAX_MANIFEST))
                elif is_safe(member.name):
                    found[member.name] = _copy(content.read, target / member.name)
                else:
                    raise InvalidArchive(f"the backup has an entry {member.name!r} that pypid never writes")
    except (tarfile.TarError, EOFError) as error:
        raise InvalidArchive(f"the backup is damaged, or no backup: {error}") from None
    if manifest is None:
        raise InvalidArchive("the backup is incomplete: its manifest, which is its end, is missing")
    expected = {entry.path: (entry.size, entry.sha256) for entry in manifest.entries}
    wrong = sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path))
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise InvalidArchive(f"the backup is damaged: {wrong[0]}{more} is not what its manifest says")
    for entry in manifest.entries:
        path = target / entry.path
        path.chmod(entry.mode)
        # The record of an archive has its time to the nanosecond.
        os.utime(path, ns=(entry.modified_ns, entry.modified_ns))
    return manifest


def _copy(read: Callable[[int], bytes], path: Path) -> tuple[int, str]:
    """Write a file, and return its size and its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size, digest = 0, sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        while data := read(BLOCK):
            size += len(data)
            digest.update(data)
            written.write(data)
    return size, digest.hexdigest()


def _faults(staged: Layout) -> Sequence[str]:
    """Check the extracted tree as ``pypid check`` does, and return the lines."""
    fault = file_fault(staged.catalog)
    with closing(CatalogFile(staged.catalog)) as catalog:
        found = [result.line for result in TreeCheck(staged.projects, catalog.content, lambda _: True).run()]
    return [*found, *([f"{CATALOG}: {fault}"] if fault is not None else [])]


def _root_files(scratch: Path) -> Sequence[Path]:
    return sorted(path for path in scratch.iterdir() if path.is_file())


def _differs(staged: Path, path: Path) -> bool:
    return path.exists() and path.read_bytes() != staged.read_bytes()

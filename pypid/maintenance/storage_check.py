"""The check of any storage by what its interface tells, whether or not it is a directory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from pypid.errors import StorageUnavailable
from pypid.formats.file_sha256 import file_sha256
from pypid.interfaces import ICatalog
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["damaged", "not_offered"]


async def not_offered(
    storage: ThreadedStorage, catalog: ICatalog, projects: Sequence[str], known: Collection[tuple[str, str]]
) -> Sequence[str]:
    """Return a line for everything in a storage that is not offered to anybody.

    That is: files whose bytes are not those that were published, unreadable projects and misplaced archives.

    :param known: the projects and files about which something was told already; a file may be empty.
    """
    lines: list[str] = []
    for name in projects:
        try:
            project = await catalog.project(name)
        except StorageUnavailable as error:
            if (name, "") not in known:
                lines.append(f"{name} cannot be read: {error.__cause__ or error}")
            continue
        if project is not None:
            withheld = project.withheld.items()
            lines += (f"{name}: {reason}" for file, reason in withheld if (name, file) not in known)
    return [*lines, *await storage.run(lambda blocking: blocking.misplaced())]


async def damaged(
    storage: ThreadedStorage, projects: Sequence[str], reads: Callable[[str], bool]
) -> Sequence[str]:
    """Return a line for each file whose bytes are not those of its record, though it looks unchanged.

    :param reads: decides whether an archive is read from end to end.
    """
    lines = []
    for name in projects:
        try:
            project = await storage.project(name)
        except StorageUnavailable:
            continue  # see not_offered()
        for file in project.files if project is not None else ():
            record = file.record
            if record is not None and file.untouched and reads(file.filename):
                digest = await storage.read(name, file.filename, file_sha256)
                if digest != record.sha256:
                    lines.append(
                        f"{name}: {file.filename} has the SHA-256 digest {digest}, and {record.sha256} was"
                        " published; copy the right file back from a backup"
                    )
    return lines

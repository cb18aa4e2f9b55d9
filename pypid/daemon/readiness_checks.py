"""The checks of the daemon's parts for ``/+ready``: storage, disks, catalog and upstreams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from pypid.errors import StorageUnavailable
from pypid.formats.quantities import written_size
from pypid.formats.readiness_report import Condition, Finding
from pypid.interfaces import ICatalog, IDiskSpace, IStorage, ITroubled, IUpstream
from pypid.runtime.disk_space import DiskSpace
from pypid.runtime.readiness import CheckPart
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["readiness_checks"]


def readiness_checks(
    root: Path, storage: ThreadedStorage, catalog: ICatalog, upstreams: Sequence[IUpstream]
) -> Mapping[str, CheckPart]:
    """Return the checks of all parts, by name.

    An upstream that does not answer is reported, but it does not make the daemon unready: published and kept
    files are served without it, and the other daemons behind a balancer ask the same upstream.
    """
    checks: dict[str, CheckPart] = {
        "storage": partial(_is_writable, storage),
        "disk": partial(_has_space, root, storage),
        "catalog": partial(_answers, catalog),
    }
    for upstream in upstreams:
        if ITroubled.providedBy(upstream):
            checks[f"upstream {upstream.name}"] = partial(_is_reached, upstream)
    return checks


async def _is_writable(storage: ThreadedStorage, part: str) -> Finding:
    """Check that a file can be staged; it is discarded at once.

    :raises OutOfSpace: there is no room.
    :raises StorageUnavailable: the storage cannot be written to.
    """
    staged = await storage.stage()
    try:
        await storage.change(lambda _: staged.write(b"is there room?"))
    finally:
        await staged.discard()
    return Finding(part)


async def _has_space(root: Path, storage: ThreadedStorage, part: str) -> Finding:
    """Check that the disks of the root, and of the storage if it tells its own, are not as good as full."""

    def look(blocking: IStorage) -> Sequence[DiskSpace]:
        try:
            found = [DiskSpace.of(root)]
        except OSError as error:
            raise StorageUnavailable("the disk of the root directory does not answer") from error
        return [*found, DiskSpace(*blocking.space())] if IDiskSpace.providedBy(blocking) else found

    space = min(await storage.run(look), key=lambda one: one.free - one.floor)
    if space.free >= space.floor:
        return Finding(part)
    free, floor = written_size(space.free), written_size(space.floor)
    return Finding(part, Condition.FAILED, f"it is as good as full: {free} are free, and {floor} should be")


async def _answers(catalog: ICatalog, part: str) -> Finding:
    """Check that the journal can be read. :raises StorageUnavailable: it cannot."""
    await catalog.changes(await catalog.last_serial(), 1)
    return Finding(part)


async def _is_reached(upstream: ITroubled, part: str) -> Finding:
    """Return the condition of an upstream, from the last requests to it."""
    trouble = upstream.trouble()
    return Finding(part) if trouble is None else Finding(part, Condition.DEGRADED, trouble)

"""The verb ``check-storage``."""

from __future__ import annotations

from pathlib import Path

import click

from pypid.errors import CannotStart
from pypid.maintenance.mounts import find_mount, notes, objections
from pypid.maintenance.promises import try_promises

__all__ = ["check_storage"]

MOUNTS = Path("/proc/self/mountinfo")


@click.command("check-storage", short_help="Try whether an index is safe in a directory.")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.pass_context
def check_storage(context: click.Context, directory: Path) -> None:
    """Try what the file system of DIRECTORY promises, and end with 1 if an index would lose data there.

    Links, renames, syncing, locks and more are tried out in a new directory below it, which is removed
    afterwards; and the options with which it is mounted are looked at, as those of NFS.
    """
    path = directory.resolve()
    is_bad = False
    try:
        mounts = MOUNTS.read_text(errors="surrogateescape").splitlines() if MOUNTS.exists() else []
        for outcome in try_promises(path):
            kept = outcome.fault is None
            click.echo(f"yes   {outcome.promise}" if kept else f"NO    {outcome.promise}: {outcome.fault}")
            is_bad = is_bad or not kept
    except OSError as error:
        raise CannotStart(f"cannot write to {path}: {error.strerror}") from error
    mount = find_mount(mounts, str(path))
    if mount is not None:
        for objection in objections(mount):
            click.echo(f"NO    the {mount.kind} at {mount.point} is mounted well: {objection}")
            is_bad = True
        for note in notes(mount):
            click.echo(f"note  the {mount.kind} at {mount.point}: {note}")
    if is_bad:
        click.echo(f"{path} is no place for an index")
        context.exit(1)
    click.echo(f"{path} keeps everything that an index needs")

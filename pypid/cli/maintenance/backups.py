"""The verbs ``backup`` and ``restore``."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import click

from pypid.cli.open_index import IndexOptions, acting_as_owner, opened, run
from pypid.errors import CannotStart, ConfigurationError
from pypid.maintenance.backup import Backup, copy_catalog
from pypid.maintenance.restore import restore as restore_backup
from pypid.runtime.layout import Layout

__all__ = ["backup", "restore"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Write the whole index into one file.")
@click.argument("file", type=_FILE)
@click.pass_obj
def backup(index: IndexOptions, file: Path) -> None:
    """Write all projects, users, tokens and serials into FILE, a tar with a manifest of digests.

    The daemon may run: what is published meanwhile is in the backup whole, or not at all. Keep FILE
    where nobody else can read it. What was fetched from upstreams is not in it.
    """
    with _new(file) as written, opened(index) as administration:
        simple = index.files
        if simple is None:
            raise ConfigurationError("only an index in a directory can be backed up by pypid")
        run(administration.catalog.count())  # now the catalog lists everything that is here
        with TemporaryDirectory(prefix="backup-", dir=index.layout.state) as scratch:
            copy = Path(scratch) / "catalog.sqlite"
            try:
                copy_catalog(index.layout.catalog, copy)
                made = Backup(simple, copy, _root_files(index), datetime.now(UTC)).write(written)
            except (sqlite3.Error, OSError) as error:
                raise CannotStart(f"cannot make the backup: {error}") from error
        elsewhere = [str(path) for path in _elsewhere(index) if path.exists()]
    archives = sum(entry.path.startswith("simple/") for entry in made.entries)
    size = sum(entry.size for entry in made.entries)
    click.echo(f"{file}: {archives} files of projects, {size} bytes, up to serial {made.serial}")
    for path in elsewhere:
        click.echo(f"not in it, as it is not below the root: {path}")


@click.command(short_help="Make an index out of a backup.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def restore(index: IndexOptions, file: Path) -> None:
    """Restore FILE to the root, which must have no projects yet.

    Everything is read, compared with the manifest and checked before the first file is put into place. If
    a daemon runs on the root, its journal goes on with new serials; else the serials are the old ones.
    """
    root = index.path
    with ExitStack() as stack:
        try:
            opened_file = stack.enter_context(file.open("rb"))
            root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(acting_as_owner(root))
            done = restore_backup(opened_file, root)
        except OSError as error:
            raise CannotStart(f"cannot restore to {root}: {error}") from error
    manifest = done.manifest
    archives = sum(entry.path.startswith("simple/") for entry in manifest.entries)
    click.echo(f"{root}: {archives} files of projects, as of {manifest.created:%Y-%m-%d %H:%M:%S} UTC")
    if done.has_catalog:
        click.echo(f"up to serial {manifest.serial}")
    else:
        click.echo("the daemon runs, so its journal goes on with new serials")
    for fault in done.faults:
        click.echo(f"wrong already when the backup was made: {fault}")


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that has its name only when the block has ended well, and that only its owner reads.

    :raises CannotStart: there is such a file already, or none can be made.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.exists():
                raise CannotStart(f"{path} is there already; choose another name")
            yield file
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise CannotStart(f"{path} is there already; choose another name") from None
        except OSError:  # a file system without links, such as that of a USB stick
            temporary.rename(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _root_files(index: IndexOptions) -> Mapping[str, Path]:
    """Return the files of the root that are in a backup, by their names there."""
    layout = index.layout
    paths = {layout.configuration, layout.users, layout.tokens, *_configured(index)}
    return {path.name: path for path in sorted(paths) if path.parent == layout.root}


def _elsewhere(index: IndexOptions) -> list[Path]:
    """Return the configured files that lie outside of the root."""
    return sorted(path for path in {*_configured(index)} if path.parent != Layout(index.path).root)


def _configured(index: IndexOptions) -> list[Path]:
    found = [index.users, index.tokens]
    if index.config is not None:
        found.append(index.config.absolute())
    kind, _, argument = str(index.settings.one("access") or "").partition(":")
    if kind == "rules":
        found.append(Path(argument).absolute())
    return found

"""The verbs ``check`` and ``accept``: files that are not offered, and files changed on disk."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pypid.cli.commands import ProjectName, ask
from pypid.cli.open_index import IndexOptions, opened, run
from pypid.errors import StorageUnavailable
from pypid.index.administration import ProjectAdministration

__all__ = ["accept", "check"]


@click.command(short_help="Name what is in the index and not offered.")
@click.pass_context
def check(context: click.Context) -> None:
    """Name what is in the index and not offered to anybody, a line each, and end with 1 if there is anything.

    That is: files whose bytes are not those that were published, projects that cannot be read, and archives
    that lie where nobody looks for them. Files are read that were changed since they were last read.
    """
    with opened(context.obj) as administration:
        names, lines = run(_findings(administration))
    for line in lines:
        click.echo(line)
    if lines:
        context.exit(1)
    click.echo(f"nothing to complain of in {names} project{'' if names == 1 else 's'}")


@click.command(short_help="Take changed files as they are.")
@click.argument("name", type=ProjectName())
@click.option("--file", "filename", metavar="FILE", help="Only this one of the files.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def accept(index: IndexOptions, name: str, filename: str | None, yes: bool) -> None:
    """Take files of a project as they are whose bytes were changed on disk since they were published.

    They are withheld until then; `pypid check` names them. Better is to copy the right file back, which needs
    no word to pypid: whoever has the old digest in a lock file can install no other. What lies beside
    the file, such as a signature, is of the old bytes, and is removed.
    """
    with opened(index) as administration:
        if not yes:
            ask(f"offer {filename or f'the changed files of {name}'} with other bytes than were published")
        changed = run(administration.accept(name, filename))
    click.echo(f"accepted {', '.join(changed)}" if changed else "nothing to do: no file was changed")


async def _findings(administration: ProjectAdministration) -> tuple[int, Sequence[str]]:
    """Return the number of projects, and a line for each finding."""
    lines: list[str] = []
    names = await administration.storage.projects()
    for name in names:
        try:
            project = await administration.catalog.project(name)
        except StorageUnavailable as error:
            lines.append(f"{name} cannot be read: {error.__cause__ or error}")
            continue
        if project is not None:
            lines += (f"{name}: {reason}" for reason in project.withheld.values())
    lines += await administration.storage.run(lambda storage: storage.misplaced())
    return len(names), lines

"""The verb ``gen-config``: files for the programs that run, front or use an index."""

from __future__ import annotations

from collections.abc import Sequence

import click

from pypid.cli.config import gathered
from pypid.cli.open_index import IndexOptions
from pypid.cli.site_files.facts import facts_of
from pypid.cli.site_files.targets import TARGETS, render

__all__ = ["gen_config"]

_TABLE = "\n".join(f"  {name:<11} {target.summary}" for name, target in TARGETS.items())


@click.command(
    short_help="Print a file for systemd, nginx, Docker, pip and others.",
    help=f"""Print a file for another program, made from the configuration as it is.

    It has the absolute paths of this installation. DAEMON OPTIONS are those that the daemon is to have
    besides the configuration file and variables; they are written into the file.

    \b
{_TABLE}
    """,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("target", type=click.Choice(list(TARGETS)), metavar="TARGET")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[DAEMON OPTIONS...]")
@click.pass_obj
def gen_config(index: IndexOptions, target: str, flags: Sequence[str]) -> None:
    """Print the file of a target."""
    click.echo(render(target, facts_of(gathered(index, flags))), nl=False)

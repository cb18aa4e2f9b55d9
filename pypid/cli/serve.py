"""The verb ``serve``: the daemon in the foreground, for containers and terminals."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from pypid.cli.open_index import IndexOptions
from pypid.errors import CannotStart

__all__ = ["serve"]


@click.command(
    short_help="Run the daemon in the foreground.",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[DIR] [OPTIONS...]")
@click.pass_obj
def serve(index: IndexOptions, words: Sequence[str]) -> None:
    """Run the daemon on DIR in the foreground: no pidfile, and the log on standard output.

    It is `twistd -n --pidfile= pypid --root DIR OPTIONS...`. DIR may be left out after --root, or with
    PYPID_ROOT. SIGTERM and SIGINT end it well; so it does as the first process of a container.
    """
    from twisted.scripts.twistd import run

    options = _options(index, words)
    try:
        # Errors in the options are reported before anything else is printed.
        _validate(options)
        sys.argv[1:] = ["-n", "--pidfile=", "pypid", *options]
        run()
    except CannotStart as error:
        click.echo(str(error), err=True)
        click.get_current_context().exit(1)


def _options(index: IndexOptions, words: Sequence[str]) -> Sequence[str]:
    """Return the daemon's options; the first of the words may be the root directory."""
    root, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else (index.root, words)
    given = {
        "--root": root or os.environ.get("PYPID_ROOT"),
        "--storage": index.storage or os.environ.get("PYPID_STORAGE"),
        "--config": index.config,
    }
    before = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return [*before, *rest]


def _validate(options: Sequence[str]) -> None:
    """Validate the options. Some, such as ``--help``, print something and exit here.

    :raises CannotStart: an option is wrong.
    """
    from pypid.tap import Options

    class ServeOptions(Options):
        synopsis = "Usage: pypid serve [DIR] [options]"
        longdesc = f"{Options.longdesc} In the foreground, without a pidfile, its log on standard output."
        help_command = "pypid serve --help"

    ServeOptions().parseOptions(options)

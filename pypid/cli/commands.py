"""The verbs that change projects. Each prints one line that says what it did."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from pypid.cli.open_index import IndexOptions, note_change, opened, run
from pypid.daemon.status_query import ask_daemon
from pypid.errors import Forbidden
from pypid.model import Status
from pypid.names import is_name, normalize

__all__ = ["ProjectName", "ask", "remove", "status", "unyank", "yank"]

FEW = 5
"""The most files that a question lists by name; for more it has their number."""


class ProjectName(click.ParamType[str]):
    """A project's name in any spelling, normalized for the verb."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Validate and normalize a name."""
        if not is_name(value):
            self.fail(f"{value!r} is not the name of a project", param, ctx)
        return normalize(value)


_name = click.argument("name", type=ProjectName())
_file = click.option("--file", "filename", metavar="FILE", help="Only this one of the files.")
_reason = click.option("--reason", metavar="TEXT", default="", help="Why; people are shown it.")


@click.command(short_help="Have installers pass a release over.")
@_name
@click.argument("version")
@_reason
@_file
@click.pass_obj
def yank(index: IndexOptions, name: str, version: str, reason: str, filename: str | None) -> None:
    """Have installers pass a release over, unless they are asked for this very version (PEP 592)."""
    with opened(index) as administration:
        _say("yanked", run(administration.yank(name, version, reason, filename)), index, name)


@click.command(short_help="Take a yank back.")
@_name
@click.argument("version")
@_file
@click.pass_obj
def unyank(index: IndexOptions, name: str, version: str, filename: str | None) -> None:
    """Take a yank back: installers may choose the release again."""
    with opened(index) as administration:
        _say("un-yanked", run(administration.unyank(name, version, filename)), index, name)


@click.command(short_help="Remove files for good.")
@_name
@click.argument("version", required=False)
@_file
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(index: IndexOptions, name: str, version: str | None, filename: str | None, yes: bool) -> None:
    """Remove a release, or all releases, for good.

    The names of the files stay taken: nothing else can be published under them.
    """
    with opened(index) as administration:
        files = run(administration.files(name, version, filename))
        if not yes:
            what = ", ".join(files) if len(files) <= FEW else f"{len(files)} files of {name}"
            ask(f"remove {what}, for good")
        _say("removed", run(administration.remove(name, version, filename)), index, name)


@click.command(short_help="Show the daemon's condition, or show or set a project's status.")
@click.argument("name", type=ProjectName(), required=False)
@click.argument("status", required=False, type=click.Choice([status.value for status in Status]))
@_reason
@click.option("--json", "as_json", is_flag=True, help="Show the daemon's condition as JSON.")
@click.pass_obj
def status(index: IndexOptions, name: str | None, status: str | None, reason: str, as_json: bool) -> None:
    """Show whether the daemon is ready, and the condition of its parts; or, with NAME, a project's status.

    The daemon's condition is what it answers at /+ready. The exit status is 0 if it is ready, even if an
    upstream does not answer, and 1 if it is not, or does not run.

    With STATUS, set the status of a project (PEP 792). An archived project takes no uploads; a
    quarantined one offers nothing either; a deprecated one is advised against.
    """
    if status is None and reason:
        raise click.UsageError("--reason needs a STATUS to be the reason of")
    if name is None:
        report = ask_daemon(index.layout)
        click.echo(report.to_json() if as_json else report.to_text(), nl=False)
        if not report.is_ready:
            click.get_current_context().exit(1)
        return
    if as_json:
        raise click.UsageError("--json is for the daemon's condition: leave out NAME")
    with opened(index) as administration:
        if status is not None:
            _say(f"made {status}:", run(administration.set_status(name, Status(status), reason)), index, name)
            return
        record = run(administration.status(name))
        click.echo(f"{name} is {record.status.value}" + (f": {record.reason}" if record.reason else ""))


def ask(what: str) -> None:
    """Ask for confirmation on the terminal. :raises Forbidden: there is no terminal, or the answer is no."""
    if not _is_terminal():
        raise Forbidden(f"nobody is there to be asked whether to {what}; say --yes")
    if not click.confirm(f"{what[:1].upper()}{what[1:]}?"):
        raise Forbidden("nothing was done")


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _say(verb: str, changed: Sequence[str], index: IndexOptions, project: str) -> None:
    """Print what was done, and write it to the audit trail."""
    message = f"{verb} {', '.join(changed)}" if changed else "nothing to do: it is so already"
    click.echo(message)
    if changed:
        note_change(index, message, action=verb.rstrip(":"), project=project, changed=", ".join(changed))

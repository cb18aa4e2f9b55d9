"""The verb ``owner``: the owners and maintainers of a project."""

from __future__ import annotations

import click

from pypid.cli.commands import ProjectName
from pypid.cli.open_index import IndexOptions, note_change, opened, run
from pypid.cli.users import UserName, is_known_user
from pypid.model import Role

__all__ = ["owner"]

_project = click.argument("project", type=ProjectName())
_role = click.option(
    "--maintainer",
    "role",
    is_flag=True,
    callback=lambda _context, _option, given: Role.MAINTAINER if given else Role.OWNER,
    help="As a maintainer, not as an owner.",
)


@click.group(short_help="Show and change who owns and maintains a project.")
def owner() -> None:
    """Show and change who owns and maintains a project.

    Who publishes its first file owns it. Nobody owns what was copied in by hand until an owner is named here.
    """


@owner.command("list", short_help="List owners and maintainers.")
@_project
@click.pass_obj
def list_people(index: IndexOptions, project: str) -> None:
    """List the owners and maintainers of a project, a line each."""
    with opened(index) as administration:
        for role, people in run(administration.people(project)).items():
            for name in people:
                click.echo(f"{role.value} {name}")


@owner.command(short_help="Add an owner, or a maintainer.")
@_project
@click.argument("name", type=UserName())
@_role
@click.pass_obj
def add(index: IndexOptions, project: str, name: str, role: Role) -> None:
    """Add an owner of a project, or a maintainer; they need not be a user yet."""
    with opened(index) as administration:
        done = run(administration.add_person(project, role, name))
        message = f"{name} is {_a(role)} of {project}{'' if done else ' already'}"
        click.echo(message)
        if done:
            note_change(index, message, action="rights", project=project, changed=name)
    if not is_known_user(index, name):
        click.echo(
            f"note: there is no user {name} in {index.users}; that is fine if --auth has them from elsewhere",
            err=True,
        )


@owner.command(short_help="Remove an owner, or a maintainer.")
@_project
@click.argument("name")
@_role
@click.pass_obj
def remove(index: IndexOptions, project: str, name: str, role: Role) -> None:
    """Remove an owner of a project, but not the only one, or a maintainer."""
    with opened(index) as administration:
        done = run(administration.remove_person(project, role, name))
        message = f"{name} is {'no longer' if done else 'not'} {_a(role)} of {project}"
        click.echo(message)
        if done:
            note_change(index, message, action="rights", project=project, changed=name)


def _a(role: Role) -> str:
    return "an owner" if role is Role.OWNER else "a maintainer"

"""The verb ``user``: edit the password file of an index."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import bcrypt
import click

from pypid.auth import password_file
from pypid.auth.hashes import MAX_PASSWORD
from pypid.auth.password_file import with_user, without_user
from pypid.cli.commands import ask
from pypid.cli.file_edit import edit, must_be_writable, read
from pypid.cli.open_index import IndexOptions, note_change
from pypid.errors import CannotStart, Forbidden, NotFound
from pypid.formats.api_tokens import Token, load
from pypid.principals import is_user_name

__all__ = ["UserName", "is_known_user", "user"]

COST = 10
"""The bcrypt cost of new hashes: a check takes 2 ** COST rounds, about a twentieth of a second."""
MODE = 0o640


class UserName(click.ParamType[str]):
    """A valid user name."""

    name = "user"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Validate a name."""
        if not is_user_name(value):
            self.fail(f"{value!r} is no user name: 1 to 64 of A-Z a-z 0-9 . _ @ -", param, ctx)
        return value


_name = click.argument("name", type=UserName())
_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_file = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The password file, if it is not ROOT/htpasswd.",
)


@click.group(short_help="Add, change, remove and list users.")
def user() -> None:
    """Edit the users of the index.

    A running daemon reads the file again by itself within a second.
    """


@user.command(short_help="Add a user.")
@_name
@_stdin
@_file
@click.pass_obj
def add(index: IndexOptions, name: str, password_stdin: bool, path: Path | None) -> None:
    """Add a user, who signs in with a password from now on."""
    path = _path(index, path)
    must_be_writable(path)  # check this before anybody types a password in vain
    _must_not_be(read(path), name)
    hashed = _hash(_password(name, password_stdin))

    def change(data: bytes) -> bytes:
        _must_not_be(data, name)
        return with_user(data, name, hashed)

    edit(path, change, MODE)
    click.echo(f"added {name} to {path}")
    note_change(index, f"added the user {name}", action="user", changed=name)


@user.command(short_help="Change a password.")
@_name
@_stdin
@_file
@click.pass_obj
def passwd(index: IndexOptions, name: str, password_stdin: bool, path: Path | None) -> None:
    """Change a user's password; the old one ends at once. Tokens of the user stay."""
    path = _path(index, path)
    must_be_writable(path)
    _must_be(read(path), path, name)
    hashed = _hash(_password(name, password_stdin))

    def change(data: bytes) -> bytes:
        _must_be(data, path, name)  # the user may have been removed while the password was typed
        return with_user(data, name, hashed)

    edit(path, change, MODE)
    click.echo(f"changed the password of {name}")
    note_change(index, f"changed the password of {name}", action="user", changed=name)


@user.command(short_help="Remove a user.")
@_name
@_file
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(index: IndexOptions, name: str, path: Path | None, yes: bool) -> None:
    """Remove a user. What they published stays."""
    path = _path(index, path)
    _must_be(read(path), path, name)
    if not yes:
        ask(f"remove the user {name}")

    def change(data: bytes) -> bytes:
        _must_be(data, path, name)
        return without_user(data, name)

    edit(path, change, MODE)
    tokens = [token.id for token in _tokens(index) if token.user == name]
    still = f"; their tokens go on, until: pypid token revoke {' '.join(tokens)}" if tokens else ""
    click.echo(f"removed {name}{still}")
    note_change(index, f"removed the user {name}", action="user", changed=name)


@user.command("list", short_help="List users.")
@_file
@click.pass_obj
def list_users(index: IndexOptions, path: Path | None) -> None:
    """List the users that can sign in, a line each."""
    path = _path(index, path)
    found = password_file.parse(read(path), str(path))
    for name in found.users:
        click.echo(name)
    if hint := found.legacy_hint(str(path)):
        click.echo(hint, err=True)


@user.command(short_help="Check the password file.")
@_file
@click.pass_context
def check(context: click.Context, path: Path | None) -> None:
    """Check each line of the password file; end with 1 if one is of no use."""
    path = _path(context.obj, path)
    if not path.exists():
        raise NotFound(f"there is no {path}; add a user with: pypid user add NAME")
    found = password_file.parse(read(path), str(path))
    for complaint in found.complaints:
        click.echo(complaint)
    number = len(found.users)
    click.echo(f"{number} user{'' if number == 1 else 's'} can sign in")
    if hint := found.legacy_hint(str(path)):
        click.echo(hint)
    context.exit(1 if found.complaints or not found.users else 0)


def is_known_user(index: IndexOptions, name: str) -> bool:
    """True if the password file of the root has a user, or cannot be read."""
    try:
        return _is_in(read(index.users), name)
    except CannotStart:
        return True


def _path(index: IndexOptions, path: Path | None) -> Path:
    return path.absolute() if path is not None else index.users


def _tokens(index: IndexOptions) -> Sequence[Token]:
    data = read(index.tokens) if index.settings.root is not None else b""
    return load(data) if data else ()


def _must_not_be(data: bytes, name: str) -> None:
    if _is_in(data, name):
        raise Forbidden(f"there is a user {name} already; to change the password: pypid user passwd {name}")


def _must_be(data: bytes, path: Path, name: str) -> None:
    if not _is_in(data, name):
        raise NotFound(f"there is no user {name} in {path}")


def _is_in(data: bytes, name: str) -> bool:
    """True if the file has a user; hashes that need ``legacy=yes`` count, too."""
    return name in password_file.parse(data, "", legacy=True).users


def _password(name: str, from_stdin: bool) -> bytes:
    """Prompt for a password, twice, or read it from standard input.

    :raises Forbidden: there is no terminal, or the password cannot be used.
    """
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        text = click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    else:
        raise Forbidden("nobody is there to be asked for the password; say --password-stdin")
    password = text.encode("utf-8", "surrogateescape")
    if not password:
        raise Forbidden("the password is empty; nothing was done")
    if len(password) > MAX_PASSWORD or not text.isprintable():
        raise Forbidden(f"a password has at most {MAX_PASSWORD} bytes, all printable; nothing was done")
    return password


def _hash(password: bytes) -> bytes:
    """Return the bcrypt hash of a password, with the prefix ``$2y$`` that Apache understands."""
    return b"$2y$" + bcrypt.hashpw(password, bcrypt.gensalt(COST)).removeprefix(b"$2b$")

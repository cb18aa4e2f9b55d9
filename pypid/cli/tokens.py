"""The verb ``token``: create, list and revoke the tokens of an index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from pypid.auth.token_use import last_used
from pypid.cli.file_edit import edit, read
from pypid.cli.open_index import IndexOptions, note_change
from pypid.cli.param_types import Validated
from pypid.cli.users import UserName
from pypid.errors import CannotStart, InvalidTokens, NotFound
from pypid.formats import api_tokens
from pypid.formats.api_tokens import METRICS, SCOPES, Token, scopes_of
from pypid.names import name_pattern

__all__ = ["token"]

MODE = 0o600
_LIFETIME = re.compile(r"([1-9][0-9]{0,4})([hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


class _Lifetime(click.ParamType[timedelta]):
    name = "lifetime"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = _LIFETIME.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no time like 12h, 90d, 8w or 1y", param, ctx)
        return timedelta(hours=int(match[1]) * _HOURS[match[2]])


@click.group(short_help="Make, list and revoke tokens.")
def token() -> None:
    """Work on the tokens that machines sign in with.

    A running daemon knows at once of what changes here.
    """


@token.command(short_help="Make a token.")
@click.option("--user", type=UserName(), required=True, help="Whose it is: it may do no more than they.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([*SCOPES, METRICS]),
    multiple=True,
    default=("read", "upload"),
    show_default=True,
    help="What it is for; may be repeated.",
)
@click.option(
    "--project",
    "projects",
    type=Validated("pattern", name_pattern),
    multiple=True,
    metavar="PATTERN",
    help="A project that it is for, or many, as acme-*; may be repeated.  [default: all]",
)
@click.option("--expires", type=_Lifetime(), metavar="TIME", help="When it ends, as 90d.  [default: never]")
@click.pass_obj
def create(
    index: IndexOptions, user: str, scopes: Sequence[str], projects: Sequence[str], expires: timedelta | None
) -> None:
    """Make a token, and show it this once; what is kept does not tell it.

    It goes where a password goes, with the user name __token__.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    actions = {SCOPES[scope] for scope in scopes if scope != METRICS}
    text, made = api_tokens.new(user, actions, projects, now, expires, metrics=METRICS in scopes)
    edit(_path(index), lambda data: api_tokens.dump([*_load(data, _path(index)), made]), MODE)
    click.echo(text)
    click.echo(f"token {_described(made)}; it is shown only now", err=True)
    note_change(index, f"made the token {_described(made)}", action="token", changed=made.id)


@token.command("list", short_help="List tokens.")
@click.pass_obj
def list_tokens(index: IndexOptions) -> None:
    """List all tokens, a line each: never their secrets."""
    used = last_used(_path(index))
    for one in _load(read(_path(index)), _path(index)):
        click.echo(f"{_described(one)}, last used {used.get(one.id, 'never')}")


@token.command(short_help="Revoke tokens.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def revoke(index: IndexOptions, ids: Sequence[str]) -> None:
    """End tokens at once, by the IDs that `token list` shows, or by the tokens themselves."""
    names = {api_tokens.token_id(one) or one for one in ids}

    def change(data: bytes) -> bytes:
        kept = _load(data, _path(index))
        if missing := names - {one.id for one in kept}:
            # The unknown IDs are not printed: they may contain most of a secret.
            raise NotFound(f"{len(missing)} of them are not there: nothing was done; see: pypid token list")
        return api_tokens.dump(one for one in kept if one.id not in names)

    edit(_path(index), change, MODE)
    message = f"revoked {', '.join(sorted(names))}"
    click.echo(message)
    note_change(index, message, action="token", changed=", ".join(sorted(names)))


def _path(index: IndexOptions) -> Path:
    return index.tokens


def _load(data: bytes, path: Path) -> Sequence[Token]:
    try:
        return api_tokens.load(data) if data else ()
    except InvalidTokens as error:
        hint = "restore it from a backup, or remove it to revoke all tokens"
        raise CannotStart(f"{error}: {path}; {hint}") from error


def _described(token: Token) -> str:
    scopes = ", ".join(scopes_of(token.limits))
    projects = f" of {', '.join(token.limits.projects)}" if token.limits.projects else ""
    end = f"until {token.expires:%Y-%m-%d %H:%M} UTC" if token.expires is not None else "without an end"
    return f"{token.id} of {token.user}: {scopes}{projects}, {end}"

"""The format of password files: ``USER:HASH`` lines, as Apache's ``htpasswd`` writes them.

Only bcrypt is taken. Every hash is vetted in full here, because the ``bcrypt`` library raises
for some malformed ones, says "wrong password" for others, and would compute for days on a
cost of 31.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from attrs import frozen

from pypid.principals import TOKEN_USER, is_user_name

__all__ = ["PasswordFile", "decoy", "parse", "with_user", "without_user"]

MIN_COST = 4
MAX_COST = 14

# The last character of the salt holds two bits; bcrypt raises if it has more.
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_OTHER_KINDS = {
    "$apr1$": "apr1-MD5",
    "$1$": "MD5",
    "{SHA}": "SHA-1",
    "$5$": "SHA-256",
    "$6$": "SHA-512",
    "$2x$": "$2x$ bcrypt",
    "$argon2": "argon2",
}


@frozen
class PasswordFile:
    """What a password file says."""

    users: Mapping[str, bytes]
    """The bcrypt hash of each user that can sign in."""
    complaints: tuple[str, ...]
    """A line for the log about each line that is not used: where, who, and what repairs it."""


def parse(data: bytes, path: str) -> PasswordFile:
    """Read a password file.

    :param data: its bytes. A byte order mark, CRLF, blank lines and ``#`` comments are fine.
    :param path: its name, for the complaints.
    """
    users: dict[str, bytes] = {}
    seen: set[str] = set()
    complaints = []
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace").split("\n")
    for number, line in enumerate(lines, 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        user, _, hashed = entry.partition(":")
        complaint = _complaint(user, hashed, path)
        if user in seen and is_user_name(user):
            complaint = f'user "{user}" appears twice; the first line is used, as Apache does'
        seen.add(user)
        if complaint is None:
            users[user] = hashed.encode("ascii")
        else:
            complaints.append(f"{path}:{number}: {complaint}")
    return PasswordFile(users, tuple(complaints))


def with_user(data: bytes, user: str, hashed: bytes) -> bytes:
    """Give a password file with a user's hash: in the user's line, or in a new one at its end."""
    line = b"%s:%s" % (user.encode("ascii"), hashed)
    lines = data.splitlines()
    for number, old in enumerate(lines):
        if _is_of(old, user):
            lines[number] = line
            break
    else:
        lines.append(line)
    return b"\n".join(lines) + b"\n"


def without_user(data: bytes, user: str) -> bytes:
    """Give a password file without any line of a user."""
    return b"".join(b"%s\n" % line for line in data.splitlines() if not _is_of(line, user))


def _is_of(line: bytes, user: str) -> bool:
    return line.strip().removeprefix(b"\xef\xbb\xbf").partition(b":")[0] == user.encode("ascii")


def decoy(users: Mapping[str, bytes]) -> bytes:
    """Give a hash that no password has, at the highest cost among those of ``users``."""
    cost = max((int(hashed[4:6]) for hashed in users.values()), default=MIN_COST)
    return b"$2b$%02d$" % cost + b"." * 53


def _complaint(user: str, hashed: str, path: str) -> str | None:
    """Tell what is wrong with a line, if anything is; never with its hash, which may be a password."""
    if not hashed:
        return "not a USER:HASH line; ignored"
    if user == TOKEN_USER:
        return f'the user name "{user}" is reserved for tokens; line ignored'
    if not is_user_name(user):
        return "the user name is not 1 to 64 of A-Z a-z 0-9 . _ @ -; line ignored"
    repair = f"run: htpasswd -B -C 10 {shlex.quote(path)} {user}"
    match = _BCRYPT.fullmatch(hashed)
    if match is None:
        kind = next((kind for mark, kind in _OTHER_KINDS.items() if hashed.startswith(mark)), None)
        if kind is not None:
            return f'user "{user}": {kind} hashes are not accepted; {repair}'
        if hashed.startswith("$2"):
            return f'user "{user}": the bcrypt hash is malformed; {repair}'
        return f'user "{user}": unrecognised password format; {repair}'
    cost = int(match["cost"])
    if cost > MAX_COST:
        return f'user "{user}": bcrypt cost {cost} would hold up a core for seconds; {repair}'
    if cost < MIN_COST:
        return f'user "{user}": the bcrypt hash is malformed; {repair}'
    return None

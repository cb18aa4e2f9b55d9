"""The format of password files: ``USER:HASH`` lines, as Apache's ``htpasswd`` writes them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib.util import find_spec

from attrs import field, frozen

from pypid.auth.hashes import flaw, legacy_kind
from pypid.principals import TOKEN_USER, is_user_name
from pypid.runtime.command import command_line

__all__ = ["PasswordFile", "parse", "with_user", "without_user"]


@frozen
class PasswordFile:
    """The content of a password file."""

    users: Mapping[str, bytes]
    """The hash of each user that can sign in."""
    complaints: tuple[str, ...]
    """A line for the log about each unusable line: its place, its user, and the repair."""
    legacy: Mapping[str, str] = field(factory=dict)
    """The kind of hash of each user who could sign in only with ``legacy=yes``."""

    def legacy_hint(self, path: str) -> str:
        """Return what to do for the users with old kinds of hashes; empty if there are none."""
        if not self.legacy:
            return ""
        number, kinds = len(self.legacy), " or ".join(sorted(set(self.legacy.values())))
        passwd = command_line("user", "passwd", "--file", path, "NAME")
        library = "" if find_spec("passlib") else ", after: pip install 'pypid-server[legacy]'"
        return (
            f"{number} user{' has' if number == 1 else 's have'} {kinds} hashes: give each a new password"
            f" with: {passwd}; or take the hashes, though who has the file soon guesses passwords"
            f" of them, with: --auth {shlex.quote(f'htpasswd:{path}:legacy=yes')}{library}"
        )


def parse(data: bytes, path: str, *, legacy: bool = False) -> PasswordFile:
    """Read a password file.

    :param data: the file's bytes. A byte order mark, CRLF, blank lines and ``#`` comments are allowed.
    :param path: the file's path, for the complaints.
    :param legacy: whether SHA-1 and apr1 hashes are accepted besides bcrypt.
    """
    users: dict[str, bytes] = {}
    seen: set[str] = set()
    refused: dict[str, str] = {}
    complaints = []
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("ascii", "replace").split("\n")
    for number, line in enumerate(lines, 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        user, _, hashed = entry.partition(":")
        complaint = _complaint(user, hashed, path, legacy)
        if user in seen and is_user_name(user):
            complaint = f'user "{user}" appears twice; the first line is used, as Apache does'
        seen.add(user)
        if complaint is None:
            users[user] = hashed.encode("ascii")
        else:
            complaints.append(f"{path}:{number}: {complaint}")
            if user not in users and (kind := legacy_kind(hashed)) and is_user_name(user):
                refused[user] = kind
    return PasswordFile(users, tuple(complaints), refused if not legacy else {})


def with_user(data: bytes, user: str, hashed: bytes) -> bytes:
    """Return the file with a user's hash, in the user's first line or in a new line at the end."""
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
    """Return the file without any line of a user."""
    return b"".join(b"%s\n" % line for line in data.splitlines() if not _is_of(line, user))


def _is_of(line: bytes, user: str) -> bool:
    return line.strip().removeprefix(b"\xef\xbb\xbf").partition(b":")[0] == user.encode("ascii")


def _complaint(user: str, hashed: str, path: str, legacy: bool) -> str | None:
    """Return why a line cannot be used, or ``None``. The hash is not quoted: it may be a password."""
    if not hashed:
        return "not a USER:HASH line; ignored"
    if user == TOKEN_USER:
        return f'the user name "{user}" is reserved for tokens; line ignored'
    if not is_user_name(user):
        return "the user name is not 1 to 64 of A-Z a-z 0-9 . _ @ -; line ignored"
    found = flaw(hashed, legacy=legacy)
    if found is None:
        return None
    return f'user "{user}": {found}; run: htpasswd -B -C 10 {shlex.quote(path)} {user}'

"""API tokens: secrets with which machines sign in, and the file of their records.

A token is ``pypid_``, eight characters of its id, ``_``, 32 random characters of its secret,
and six characters of a checksum. So scanners for leaked secrets find it, and a mistyped token is
detected without reading a file. The record contains its SHA-256 digest: 190 random bits
cannot be guessed, so no slow hash is needed.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import string
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zlib import crc32

from attrs import frozen

from pypid.errors import InvalidTokens
from pypid.model import Action, Limits

__all__ = [
    "METRICS",
    "SCOPES",
    "Token",
    "dump",
    "is_token",
    "load",
    "new",
    "redacted",
    "scopes_of",
    "token_id",
]

SCOPES = {
    "read": Action.READ,
    "upload": Action.UPLOAD,
    "yank": Action.YANK,
    "delete": Action.DELETE,
    "admin": Action.ADMINISTER,
}
"""The scopes of a token: actions by the names that people use."""

METRICS = "metrics"
"""The scope of tokens with which monitoring sees the daemon's metrics; it is no action in a project."""
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN = re.compile(r"(pypid_([0-9A-Za-z]{8})_[0-9A-Za-z]{32})([0-9A-Za-z]{6})")
_FORMAT = 1


@frozen
class Token:
    """The record of a token."""

    id: str
    """Its id, eight characters that are not secret."""
    user: str
    """The name of its user; a client with the token is this user, within the limits."""
    sha256: str
    """The SHA-256 digest of the whole token, in lower-case hexadecimal."""
    limits: Limits
    """The limits of its use."""
    created: datetime
    """The time of its creation, in UTC."""
    expires: datetime | None
    """The time of its expiry, in UTC; ``None`` if it does not expire."""

    def matches(self, text: str, now: datetime) -> bool:
        """Return whether ``text`` is this token, and it has not expired at ``now``."""
        digest = sha256(text.encode()).hexdigest()
        return hmac.compare_digest(digest, self.sha256) and (self.expires is None or now < self.expires)


def new(
    user: str,
    scopes: Collection[Action],
    projects: Sequence[str],
    now: datetime,
    lifetime: timedelta | None,
    *,
    metrics: bool = False,
) -> tuple[str, Token]:
    """Make a token; return its text, which is shown once, and its record.

    :param projects: patterns of the normalized names of permitted projects; empty for all projects.
    :param lifetime: the time until it expires; ``None`` for no expiry.
    :param metrics: whether it may see the daemon's metrics.
    """
    body = f"pypid_{_random(8)}_{_random(32)}"
    text = body + _checksum(body)
    token = Token(
        id=body[6:14],
        user=user,
        sha256=sha256(text.encode()).hexdigest(),
        limits=Limits(frozenset(scopes), tuple(projects), metrics),
        created=now,
        expires=now + lifetime if lifetime is not None else None,
    )
    return text, token


def is_token(text: str) -> bool:
    """Return whether a password is meant to be a token, by its first characters."""
    return text.startswith("pypid_")


def token_id(text: str) -> str | None:
    """Return the id of a token, or ``None`` if the token is mistyped."""
    match = _TOKEN.fullmatch(text)
    return match[2] if match is not None and _checksum(match[1]) == match[3] else None


def redacted(text: str) -> str:
    """Return a text for a log, without the secrets of tokens that it contains by mistake."""
    return _TOKEN.sub(r"pypid_\2_...", text) if "pypid_" in text else text


def dump(tokens: Iterable[Token]) -> bytes:
    """Return the file that :func:`load` reads: JSON, with one token on each line."""
    entries = (
        {
            "id": token.id,
            "user": token.user,
            "sha256": token.sha256,
            "scopes": scopes_of(token.limits),
            "projects": token.limits.projects,
            "created": _isoformat(token.created),
            "expires": _isoformat(token.expires) if token.expires is not None else None,
        }
        for token in tokens
    )
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    return f'{{"format": {_FORMAT}, "tokens": [\n{lines}\n]}}\n'.encode()


def load(data: bytes) -> tuple[Token, ...]:
    """Return the tokens in a file.

    :raises InvalidTokens: the file has another format, or is damaged.
    """
    try:
        document = json.loads(data)
        if document["format"] != _FORMAT:
            raise InvalidTokens("the format of the tokens file is that of another version of pypid")
        return tuple(
            Token(
                id=entry["id"],
                user=entry["user"],
                sha256=entry["sha256"],
                limits=_limits(entry["scopes"], entry["projects"]),
                created=_time(entry["created"]),
                expires=_time(entry["expires"]) if entry["expires"] is not None else None,
            )
            for entry in document["tokens"]
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidTokens("the tokens file is damaged") from None


def scopes_of(limits: Limits) -> list[str]:
    """Return the scopes of a token by the names that people use."""
    actions = [name for name, action in SCOPES.items() if action in limits.actions]
    return [*actions, METRICS] if limits.metrics else actions


def _limits(scopes: Sequence[str], projects: Sequence[str]) -> Limits:
    actions = frozenset(SCOPES[scope] for scope in scopes if scope != METRICS)
    return Limits(actions, tuple(projects), METRICS in scopes)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    """Return the CRC-32 of a token's body in six characters."""
    number, characters = crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, len(_ALPHABET))
        characters = _ALPHABET[rest] + characters
    return characters


def _isoformat(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time.astimezone(UTC)

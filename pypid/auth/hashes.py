"""Password hashes: the accepted kinds, and the check of a password against one.

Every hash is validated in full, because the ``bcrypt`` library raises for some malformed hashes,
reports a wrong password for others, and would compute for days at a cost of 31.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import bcrypt

__all__ = ["MAX_PASSWORD", "decoys", "flaw", "legacy_kind", "matches"]

MAX_PASSWORD = 72
"""The longest password that bcrypt can check, in bytes."""
MIN_COST = 5
MAX_COST = 14

# The last character of the salt holds two bits; bcrypt raises if it has more.
_BCRYPT = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_LEGACY = {
    "$apr1$": ("apr1-MD5", re.compile(r"\$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{21}[./01]")),
    "{SHA}": ("SHA-1", re.compile(r"\{SHA\}[A-Za-z0-9+/]{26}[AEIMQUYcgkosw048]=")),
}
_OTHER_KINDS = {
    "$1$": "MD5",
    "$5$": "SHA-256",
    "$6$": "SHA-512",
    "$2x$": "$2x$ bcrypt",
    "$argon2": "argon2",
}
_NOBODYS = {b"$a": b"$apr1$........$" + b"." * 22, b"{S": b"{SHA}" + b"A" * 27 + b"="}


def flaw(hashed: str, *, legacy: bool) -> str | None:
    """Return why a hash is refused, or ``None`` if it is accepted.

    The reason quotes no part of the hash, which may be a password in clear.

    :param legacy: whether apr1 and SHA-1 are accepted; whoever has the file soon guesses such passwords.
    """
    if match := _BCRYPT.fullmatch(hashed):
        cost = int(match["cost"])
        if cost > MAX_COST:
            return f"bcrypt cost {cost} would hold up a core for seconds"
        if cost < MIN_COST:
            return f"bcrypt cost {cost} is too low, {MIN_COST} to {MAX_COST} are taken"
        return None
    for mark, (kind, form) in _LEGACY.items():
        if hashed.startswith(mark):
            if not legacy:
                return f"{kind} hashes are not accepted without legacy=yes"
            return None if form.fullmatch(hashed) else f"the {kind} hash is malformed"
    kind = next((kind for mark, kind in _OTHER_KINDS.items() if hashed.startswith(mark)), "")
    if kind:
        return f"{kind} hashes are not accepted"
    return "the bcrypt hash is malformed" if hashed.startswith("$2") else "unrecognised password format"


def legacy_kind(hashed: str) -> str | None:
    """Return the kind of a valid hash that needs ``legacy=yes``; ``None`` for any other text."""
    return next((kind for kind, form in _LEGACY.values() if form.fullmatch(hashed)), None)


def decoys(hashes: Iterable[bytes]) -> Sequence[bytes]:
    """Return hashes that match no password.

    The first is bcrypt at the highest cost in ``hashes``; one follows for each other kind there.
    """
    costs, others = [MIN_COST], set()
    for hashed in hashes:
        if hashed.startswith(b"$2"):
            costs.append(int(hashed[4:6]))
        else:
            others.add(_kind(hashed))
    return [b"$2b$%02d$" % max(costs) + b"." * 53, *(_NOBODYS[kind] for kind in sorted(others))]


def matches(password: bytes, hashed: bytes | None, decoys: Sequence[bytes]) -> bool:
    """Return whether a password is right. Blocks for as long as the most expensive hash takes.

    :param hashed: the user's hash; ``None`` if there is no such user.
    :param decoys: the file's decoys, from :func:`decoys`. For each kind either the user's hash or the
        decoy is checked, so that the time reveals neither which users exist nor whose hash is weak.
    """
    right = False
    for decoy in decoys:
        if hashed is not None and _kind(hashed) == _kind(decoy):
            right = _matches(password, hashed)
        else:
            _matches(password, decoy)
    return right


def _kind(hashed: bytes) -> bytes:
    """Return the first two bytes, which differ between the accepted kinds."""
    return hashed[:2]


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        if hashed.startswith(b"$2"):
            return bcrypt.checkpw(password, hashed)
        # Part of the "legacy" extra, so it is imported only for a hash that needs it.
        from passlib.hash import apr_md5_crypt, ldap_sha1

        kind = ldap_sha1 if hashed.startswith(b"{") else apr_md5_crypt
        return bool(kind.verify(password, hashed))
    except ValueError:  # validated hashes do not raise it; if one does, the password is wrong
        return False

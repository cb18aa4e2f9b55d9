"""The hashes of passwords that are taken from a password file, and how one is checked.

Every hash is validated in full, because the ``bcrypt`` library raises for some malformed ones,
says "wrong password" for others, and would compute for days on a cost of 31.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import bcrypt

__all__ = ["decoys", "flaw", "legacy_kind", "matches"]

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
    """Tell why a hash is not taken, if it is not; never with any of it, as it may be a password.

    :param legacy: whether apr1 and SHA-1 are, which are soon guessed by whoever has the file.
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
    """Return what a sound hash is called that is taken with ``legacy=yes`` alone."""
    return next((kind for kind, form in _LEGACY.values() if form.fullmatch(hashed)), None)


def decoys(hashes: Iterable[bytes]) -> Sequence[bytes]:
    """Give a hash that no password has, of bcrypt at the highest cost among some, and of each other kind."""
    costs, others = [MIN_COST], set()
    for hashed in hashes:
        if hashed.startswith(b"$2"):
            costs.append(int(hashed[4:6]))
        else:
            others.add(_kind(hashed))
    return [b"$2b$%02d$" % max(costs) + b"." * 53, *(_NOBODYS[kind] for kind in sorted(others))]


def matches(password: bytes, hashed: bytes | None, decoys: Sequence[bytes]) -> bool:
    """Check a password; it blocks for as long as the dearest hash says.

    :param hashed: that of the user; ``None`` for nobody.
    :param decoys: those of the file. One of each kind is checked, the user's or the decoy, so
        that the time does not tell who there is, nor whose hash is weak.
    """
    right = False
    for decoy in decoys:
        if hashed is not None and _kind(hashed) == _kind(decoy):
            right = _matches(password, hashed)
        else:
            _matches(password, decoy)
    return right


def _kind(hashed: bytes) -> bytes:
    """Give what tells the kinds apart that are taken."""
    return hashed[:2]


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        if hashed.startswith(b"$2"):
            return bcrypt.checkpw(password, hashed)
        # Of the "legacy" extra, and needed where there are such hashes alone.
        from passlib.hash import apr_md5_crypt, ldap_sha1

        kind = ldap_sha1 if hashed.startswith(b"{") else apr_md5_crypt
        return bool(kind.verify(password, hashed))
    except ValueError:  # not for what was validated, yet none may ever get out
        return False

"""Telling whether bytes are those that a page promises."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attrs import define, field

__all__ = ["Digests", "usable"]

_ORDER = ("sha256", "sha512", "sha384", "sha3_512", "sha3_256", "blake2b", "blake2s")


def usable(hashes: Mapping[str, str]) -> dict[str, str]:
    """Give those digests whose algorithms are known here, the best first (PEP 503: any of hashlib's)."""
    known = [name for name in hashes if name in hashlib.algorithms_guaranteed and "shake" not in name]
    known.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    return {name: hashes[name].lower() for name in known}


@define(eq=False)
class Digests:
    """The digests of bytes that come in pieces: the expected ones, and always SHA-256."""

    expected: Mapping[str, str]
    """What they should be, as :func:`usable` gives it; empty if nobody says."""
    _hashes: dict[str, hashlib._Hash] = field(init=False)

    @_hashes.default
    def _new(self) -> dict[str, hashlib._Hash]:
        names = dict.fromkeys((*self.expected, "sha256"))
        return {name: hashlib.new(name, usedforsecurity=False) for name in names}

    def update(self, data: bytes) -> None:
        """Take some bytes; it may take milliseconds."""
        for one in self._hashes.values():
            one.update(data)

    @property
    def found(self) -> dict[str, str]:
        """What they are so far, by algorithm."""
        return {name: one.hexdigest() for name, one in self._hashes.items()}

    def difference(self) -> str | None:
        """Say which digest is not as expected; ``None`` if all are."""
        found = self.found
        for name, digest in self.expected.items():
            if found[name] != digest:
                return f"expected {name} {digest}, got {found[name]}"
        return None

"""Digests of downloaded bytes, compared with those that a page promises."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attrs import define, field

__all__ = ["Digests", "usable_digests"]

_ORDER = ("sha256", "sha512", "sha384", "sha3_512", "sha3_256", "blake2b", "blake2s")


def usable_digests(hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the digests whose algorithms :mod:`hashlib` always has (PEP 503), the best first."""
    known = [name for name in hashes if name in hashlib.algorithms_guaranteed and "shake" not in name]
    known.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    return {name: hashes[name].lower() for name in known}


@define(eq=False)
class Digests:
    """Computes digests of bytes that come in pieces: with each expected algorithm, and SHA-256."""

    expected: Mapping[str, str]
    """The expected digests, from :func:`usable_digests`; empty if none are known."""
    _hashes: dict[str, hashlib._Hash] = field(init=False)

    @_hashes.default
    def _new(self) -> dict[str, hashlib._Hash]:
        names = dict.fromkeys((*self.expected, "sha256"))
        return {name: hashlib.new(name, usedforsecurity=False) for name in names}

    def update(self, data: bytes) -> None:
        """Add some bytes. It may take milliseconds."""
        for one in self._hashes.values():
            one.update(data)

    @property
    def found(self) -> dict[str, str]:
        """The digests of the bytes so far, by algorithm."""
        return {name: one.hexdigest() for name, one in self._hashes.items()}

    def mismatch(self) -> str | None:
        """Return a text about the first digest that differs from the expected one, or ``None``."""
        found = self.found
        for name, digest in self.expected.items():
            if found[name] != digest:
                return f"expected {name} {digest}, got {found[name]}"
        return None

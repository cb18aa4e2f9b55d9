"""The releases pinned by lock files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from pypid.cli.environments import Choice
from pypid.cli.lock_files import Pin, read_pins
from pypid.errors import CannotStart

__all__ = ["Release", "read_lock_files", "releases"]


@frozen
class Release:
    """A release to fetch."""

    project: str
    """The project's normalized name."""
    version: str
    """The version, normalized by PEP 440."""
    hashes: frozenset[str] = frozenset()
    """The digests of the allowed files, as ``sha256:...``; empty to allow every file."""

    def __str__(self) -> str:
        """Return project and version."""
        return f"{self.project} {self.version}"

    def allows(self, digests: Mapping[str, str]) -> bool:
        """Return whether a file with these digests, by algorithm, is allowed.

        A file without a digest of an algorithm in :attr:`hashes` is allowed here.
        """
        given = {f"{algorithm}:{digest}" for algorithm, digest in digests.items()}
        comparable = any(one.partition(":")[0] in digests for one in self.hashes)
        return not comparable or bool(given & self.hashes)


def releases(pins: Iterable[Pin], choice: Choice) -> Sequence[Release]:
    """Return the releases that the chosen environments need, each once.

    If several lock files pin a release, the files allowed by any of them are allowed.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}
    for pin in pins:
        if choice.needs(pin.marker):
            known = found.get((pin.project, pin.version), pin.hashes)
            either = known | pin.hashes if known and pin.hashes else frozenset()
            found[pin.project, pin.version] = either
    return [Release(project, version, hashes) for (project, version), hashes in sorted(found.items())]


def read_lock_files(paths: Iterable[Path]) -> tuple[Sequence[Pin], Sequence[str]]:
    """Return the pins of lock files, and for each unusable entry a line with the reason.

    :raises InvalidLockFile: a file is malformed, or of no known format.
    :raises CannotStart: a file cannot be read.
    """
    entries = [entry for path in paths for entry in read_pins(str(path), _load)]
    pins = [entry for entry in entries if isinstance(entry, Pin)]
    return pins, [entry for entry in entries if isinstance(entry, str)]


def _load(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}") from error

"""The releases that lock files pin."""

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
    """A release whose files are wanted."""

    project: str
    """The project's normalized name."""
    version: str
    """The version, normalized by PEP 440."""
    hashes: frozenset[str] = frozenset()
    """The digests of the files that may be taken, as ``sha256:...``; empty if any may."""

    def __str__(self) -> str:
        """Name it."""
        return f"{self.project} {self.version}"

    def allows(self, digests: Mapping[str, str]) -> bool:
        """Tell whether a file may be taken, as far as its digests by algorithm tell."""
        given = {f"{algorithm}:{digest}" for algorithm, digest in digests.items()}
        comparable = any(one.partition(":")[0] in digests for one in self.hashes)
        return not comparable or bool(given & self.hashes)


def releases(pins: Iterable[Pin], choice: Choice) -> Sequence[Release]:
    """Give the releases that are needed in the chosen environments, each once.

    If several lock files pin one, the files of any of them may be taken.
    """
    found: dict[tuple[str, str], frozenset[str]] = {}
    for pin in pins:
        if choice.needs(pin.marker):
            known = found.get((pin.project, pin.version), pin.hashes)
            either = known | pin.hashes if known and pin.hashes else frozenset()
            found[pin.project, pin.version] = either
    return [Release(project, version, hashes) for (project, version), hashes in sorted(found.items())]


def read_lock_files(paths: Iterable[Path]) -> tuple[Sequence[Pin], Sequence[str]]:
    """Read the pins of lock files, and say of each entry that pins nothing why, a line each.

    :raises InvalidLockFile: a file is not of its kind.
    :raises CannotStart: one cannot be read.
    """
    entries = [entry for path in paths for entry in read_pins(str(path), _load)]
    pins = [entry for entry in entries if isinstance(entry, Pin)]
    return pins, [entry for entry in entries if isinstance(entry, str)]


def _load(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}") from error

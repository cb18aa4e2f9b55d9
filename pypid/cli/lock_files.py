"""The releases that a project pins, read from its lock file or requirements file.

The formats are pip's requirements files (with ``==``), ``pylock.toml`` (PEP 751), and the lock
files of uv, Poetry and Pipenv. Entries that do not come from an index, such as directories and
repositories, are left out. Entries without a name and a version are reported.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen
from packaging.markers import Marker
from packaging.pylock import PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement

from pypid.errors import InvalidLockFile
from pypid.names import canonical_version, is_name, normalize

__all__ = ["Pin", "read_pins"]

MAX_INCLUDED = 100
"""The most requirements files that may be read by inclusion."""

_HASH = re.compile(r"\s--hash[= ](\S+)")
_CONTINUED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"(^|\s)#.*$")
_FILE_OPTION = re.compile(r"(?:-r|--requirement)(?:\s+|=)?(?P<file>\S+)$")


@frozen
class Pin:
    """A pinned release."""

    project: str
    """The project's normalized name."""
    version: str
    """The version, normalized by PEP 440."""
    hashes: frozenset[str] = frozenset()
    """The digests of the allowed files, as ``sha256:...``; empty to allow every file."""
    marker: Marker | None = None
    """The marker for the environments that need it; ``None`` for all."""


def read_pins(name: str, load: Callable[[str], bytes]) -> Iterator[Pin | str]:
    """Read the pins of a file. Its name determines the format.

    :param name: the path of the file; included files are relative to it.
    :param load: returns the bytes of the file with a path.
    :returns: the pins, and for each unusable entry a line with the reason.
    :raises InvalidLockFile: the file is malformed, or of no known format.
    """
    base = name.replace("\\", "/").rpartition("/")[2]
    if base == "Pipfile.lock":
        return _pins_of_pipenv(_json(name, load(name)))
    if base.endswith(".toml") and base.startswith("pylock."):
        return _pins_of_pylock(name, _toml(name, load(name)))
    if base.endswith(".lock"):
        return _pins_of_lock(_toml(name, load(name)))
    if base.endswith((".toml", ".json", ".cfg", ".py")):
        raise InvalidLockFile(
            f"{name}: not a file that pins releases; there are requirements.txt, pylock.toml, uv.lock,"
            " poetry.lock and Pipfile.lock"
        )
    return _pins_of_requirements(name, load, [])


def _pins_of_requirements(name: str, load: Callable[[str], bytes], seen: list[str]) -> Iterator[Pin | str]:
    """Read the pins of a requirements file in pip's format."""
    if name in seen or len(seen) >= MAX_INCLUDED:
        return
    seen.append(name)
    text = _CONTINUED.sub("", load(name).decode("utf-8-sig", "replace"))
    for number, line in enumerate(text.splitlines(), 1):
        entry = _COMMENT.sub("", line).strip()
        included = _FILE_OPTION.match(entry)
        if included is not None:
            directory, slash, _ = name.rpartition("/")
            yield from _pins_of_requirements(directory + slash + included["file"], load, seen)
        elif entry and not entry.startswith("-"):
            yield _pin_of_requirement(entry, f"{name}, line {number}")


def _pin_of_requirement(entry: str, where: str) -> Pin | str:
    hashes = frozenset(_HASH.findall(entry))
    try:
        requirement = Requirement(_HASH.sub("", entry).partition(" --")[0].strip())
    except InvalidRequirement:
        return f"{where}: not the requirement of a project by name"
    if requirement.url is not None:
        return f"{where}: {requirement.name} comes from a URL, not from an index"
    versions = [one.version for one in requirement.specifier if one.operator in ("==", "===")]
    version = canonical_version(versions[0]) if len(versions) == 1 else None
    if version is None:
        return f"{where}: {requirement.name} is not pinned to one version with =="
    return Pin(normalize(requirement.name), version, hashes, requirement.marker)


def _pins_of_pylock(name: str, document: Mapping[str, Any]) -> Iterator[Pin | str]:
    """Read ``pylock.toml`` (PEP 751)."""
    try:
        packages = Pylock.from_dict(document).packages
    except PylockValidationError as error:
        raise InvalidLockFile(f"{name}: {error}") from None
    for package in packages:
        if package.version is None or package.vcs or package.directory or package.archive:
            continue
        files: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
        if package.sdist is not None:
            files.append(package.sdist)
        hashes = frozenset(f"{kind}:{digest}" for file in files for kind, digest in file.hashes.items())
        yield Pin(normalize(package.name), str(package.version), hashes, package.marker)


def _pins_of_lock(document: Mapping[str, Any]) -> Iterator[Pin | str]:
    """Read ``uv.lock`` or ``poetry.lock``, which both list packages with their files."""
    for package in _entries(document.get("package")):
        source = package.get("source")
        source = source if isinstance(source, dict) else {}
        # uv states the kind of source by a key, Poetry by a type; Poetry omits the default index.
        if source and "registry" not in source and source.get("type") not in ("legacy", "explicit"):
            continue
        files = [*_entries(package.get("wheels")), *_entries(package.get("files"))]
        files += _entries([package.get("sdist")])
        hashes = frozenset(file["hash"] for file in files if isinstance(file.get("hash"), str))
        yield _pin(package.get("name"), package.get("version"), hashes)


def _pins_of_pipenv(document: Mapping[str, Any]) -> Iterator[Pin | str]:
    """Read ``Pipfile.lock``."""
    for section in ("default", "develop"):
        entries = document.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            version = entry.get("version") if isinstance(entry, dict) else None
            if isinstance(version, str):
                found = entry.get("hashes")
                hashes = [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
                yield _pin(name, version.removeprefix("=="), frozenset(hashes))


def _pin(name: object, version: object, hashes: frozenset[str]) -> Pin | str:
    if not isinstance(name, str) or not is_name(name):
        return f"{str(name)[:80]!a}: not the name of a project"
    canonical = canonical_version(version) if isinstance(version, str) else None
    if canonical is None:
        return f"{name}: it has no version by PEP 440"
    return Pin(normalize(name), canonical, hashes)


def _entries(found: object) -> list[Mapping[str, Any]]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _toml(name: str, data: bytes) -> Mapping[str, Any]:
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidLockFile(f"{name}: not TOML: {str(error)[:200]}") from None


def _json(name: str, data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidLockFile(f"{name}: not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise InvalidLockFile(f"{name}: not the lock file of Pipenv")
    return document

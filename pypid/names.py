"""Names of projects and of distribution files, validated before any other use.

``packaging`` implements the grammar of names and versions, but does not protect: it accepts path
separators, line ends and Unicode look-alikes in file names. So every name must first
match an ASCII pattern and a maximal length here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache

from attrs import frozen
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from pypid.errors import ConfigurationError, InvalidFilename

__all__ = [
    "MAX_FILENAME",
    "SUFFIXES",
    "ArchiveKind",
    "Filename",
    "Identity",
    "Sidecar",
    "canonical_version",
    "identity",
    "is_name",
    "name_pattern",
    "normalize",
    "parse_filename",
    "python_version",
    "same_files",
    "suffix_of",
    "version_key",
]

MAX_NAME = 100
MAX_FILENAME = 200
MAX_VERSION = 100
MAX_COMPRESSED_TAGS = 30
REMEMBERED = 1000
"""The number of parsed file names in memory: a name is parsed several times in a row."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_FILENAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*")
_EGG = re.compile(r"(?P<stem>.+?)-py[0-9.]+(?:-.+)?")
_INSTALLER = re.compile(
    r"(?P<stem>.+?)\.(?:win32|win-amd64|win-arm64|linux-\w+|macosx-[\w.]+-\w+)(?:-py[0-9.]+)?"
)
_RPM = re.compile(r"(?P<stem>.+)-[^-]+\.[A-Za-z0-9_]+")
_BUILD = re.compile(r"0*([0-9]*)(.*)")
_BUILT_FOR = re.compile(r"-py([0-9]+(?:\.[0-9]+)*)[.-]")


class ArchiveKind(Enum):
    """The kind of a distribution archive; the values are the upload API's ``filetype``."""

    WHEEL = "bdist_wheel"
    SDIST = "sdist"
    EGG = "bdist_egg"
    INSTALLER = "bdist_wininst"
    RPM = "bdist_rpm"


class Sidecar(Enum):
    """A kind of sidecar file; the values are the suffixes to the name of the distribution file."""

    METADATA = ".metadata"
    """The core metadata, byte for byte (PEP 658)."""
    SIGNATURE = ".asc"
    """A detached signature, ASCII-armored (PEP 503)."""
    PROVENANCE = ".provenance"
    """The provenance object, as JSON (PEP 740)."""

    def of(self, filename: str) -> str:
        """Return the name of this sidecar file of a distribution file."""
        return filename + self.value


SUFFIXES = {
    ".whl": ArchiveKind.WHEEL,
    ".tar.gz": ArchiveKind.SDIST,
    ".zip": ArchiveKind.SDIST,
    ".tgz": ArchiveKind.SDIST,
    ".tar.bz2": ArchiveKind.SDIST,
    ".tar.xz": ArchiveKind.SDIST,
    ".tar.Z": ArchiveKind.SDIST,
    ".egg": ArchiveKind.EGG,
    ".exe": ArchiveKind.INSTALLER,
    ".msi": ArchiveKind.INSTALLER,
    ".rpm": ArchiveKind.RPM,
}
_STEMS = {ArchiveKind.EGG: _EGG, ArchiveKind.INSTALLER: _INSTALLER, ArchiveKind.RPM: _RPM}
"""Patterns of the names of these kinds, with text behind the version."""


@frozen
class Filename:
    """The parsed name of a distribution file."""

    filename: str
    """The name itself, unchanged."""
    project: str
    """The project's normalized name."""
    display_name: str
    """The project's name in the spelling of the file name."""
    version: str
    """The version: canonical if it is valid by PEP 440, else in the spelling of the file name."""
    kind: ArchiveKind
    """The kind of archive, by its suffix."""


@frozen
class Identity:
    """A key for equal files: installers choose any one of several files with the same identity.

    Sdists of one release in archives of several kinds are different files.
    """

    project: str
    """The project's normalized name."""
    version: tuple[bool, Version | str]
    """The version, comparable by PEP 440; see :func:`version_key`."""
    suffix: str
    """The suffix, one of :data:`SUFFIXES`."""
    build: tuple[str, ...] = ()
    """A wheel's build tag: the number without leading zeros, and the rest."""
    tags: tuple[frozenset[str], ...] = ()
    """A wheel's tags for Python, ABI and platform; for other kinds, the part of the name about these."""


def is_name(text: str) -> bool:
    """Return whether ``text`` is a valid project name, normalized or not (PEP 508, ASCII only)."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def normalize(name: str) -> str:
    """Return the normalized form of a valid project name (PEP 503)."""
    return str(canonicalize_name(name))


def name_pattern(text: str) -> str:
    """Return the normalized form of a pattern of project names, in which ``*`` stands for any characters.

    The pattern is matched against normalized names (PEP 503), so its separators are normalized too.

    :raises ConfigurationError: the pattern is not valid.
    """
    bare = text.replace("*", "x")
    if not is_name(bare):
        raise ConfigurationError(f"{text!r} is not a pattern of project names like acme-*")
    return "*".join(normalize(f"x{part}x")[1:-1] for part in text.split("*"))


def canonical_version(text: str) -> str | None:
    """Return the canonical spelling of a version, or ``None`` if it is not valid (PEP 440)."""
    if len(text) > MAX_VERSION or not text.isascii() or text != text.strip():
        return None
    try:
        return str(Version(text))
    except (InvalidVersion, ValueError):
        return None


def suffix_of(filename: str) -> str | None:
    """Return the suffix of a file name, one of :data:`SUFFIXES`, or ``None``."""
    return next((suffix for suffix in SUFFIXES if filename.endswith(suffix)), None)


def parse_filename(filename: str, project: str | None = None) -> Filename:
    """Parse the file name of a distribution.

    :param filename: a name without a directory, from an upload or from a listing.
    :param project: the normalized name of the project that the file must belong to. It also decides
        where the name of an old sdist ends and its version begins.
    :raises InvalidFilename: the name is too long, has characters that no such name needs, has an unknown
        suffix, or belongs to another project.
    """
    # The project makes no difference to how a wheel's name is split.
    parsed = _parsed(filename, None if filename.endswith(".whl") else project)
    if project is not None and parsed.project != project:
        raise InvalidFilename(f"the file name is not one of the project {project}")
    return parsed


def identity(filename: str, project: str | None = None) -> Identity:
    """Return the identity of a file, which is the same for all spellings of its name (PEP 427, 440, 503).

    Parameters and errors are those of :func:`parse_filename`.
    """
    parsed = parse_filename(filename, project)
    suffix = suffix_of(filename) or ""
    version = version_key(parsed.version)
    stem = filename.removesuffix(suffix)
    if parsed.kind is ArchiveKind.WHEEL:
        start, *tags = stem.lower().rsplit("-", 3)
        match = _BUILD.fullmatch(start.split("-", 2)[2]) if start.count("-") == 2 else None
        sets = tuple(frozenset(tag.split(".")) for tag in tags)
        return Identity(parsed.project, version, suffix, match.groups() if match is not None else (), sets)
    rest = stem.removeprefix(_without_target(stem, parsed.kind)).lower()
    return Identity(parsed.project, version, suffix, (), (frozenset({rest}),) if rest else ())


def same_files(filenames: Iterable[str], project: str) -> Sequence[Sequence[str]]:
    """Return groups of two or more names of the same file; each group is sorted.

    :param filenames: names that :func:`parse_filename` accepts for the project.
    :param project: the normalized name of the project.
    """
    groups: dict[Identity, list[str]] = {}
    for filename in sorted(filenames):
        groups.setdefault(identity(filename, project), []).append(filename)
    return [group for group in groups.values() if len(group) > 1]


def python_version(filename: str, kind: ArchiveKind) -> str:
    """Return the Pythons that a file is for, in the form of the upload API's ``pyversion``.

    :param filename: a name that :func:`parse_filename` accepts.
    :param kind: the kind that it finds.
    """
    if kind is ArchiveKind.WHEEL:
        return filename.rsplit("-", 3)[1]
    if kind is ArchiveKind.SDIST:
        return "source"
    built_for = _BUILT_FOR.search(filename)
    return built_for[1] if built_for is not None else "any"


@lru_cache(REMEMBERED)
def _parsed(filename: str, project: str | None) -> Filename:
    if len(filename) > MAX_FILENAME:
        raise InvalidFilename(f"the file name is longer than {MAX_FILENAME} characters")
    if _FILENAME.fullmatch(filename) is None:
        raise InvalidFilename("the file name has characters outside A-Z a-z 0-9 _ . + ! -")
    suffix = suffix_of(filename)
    if suffix is None:
        raise InvalidFilename(f"not a kind of distribution archive: it ends in none of {', '.join(SUFFIXES)}")
    kind = SUFFIXES[suffix]
    if kind is ArchiveKind.WHEEL:
        name, version = _split_wheel(filename)
    else:
        name, version = _split_archive(filename.removesuffix(suffix), kind, project)
    if not is_name(name):
        raise InvalidFilename("the file name does not begin with a valid project name")
    if kind is not ArchiveKind.WHEEL:
        version = canonical_version(version) or version
    return Filename(filename, normalize(name), name, version, kind)


def _split_wheel(filename: str) -> tuple[str, str]:
    """Return name and version of a wheel (binary distribution format, "File name convention")."""
    # packaging builds every combination of the three compressed tag sets.
    if filename.count(".") > MAX_COMPRESSED_TAGS:
        raise InvalidFilename("the wheel's name has too many compressed tags")
    try:
        _, version, _, _ = parse_wheel_filename(filename)
    except ValueError:
        raise InvalidFilename("not a wheel's name: it needs name-version-python-abi-platform.whl") from None
    return filename.split("-", 1)[0], str(version)


def _split_archive(stem: str, kind: ArchiveKind, project: str | None) -> tuple[str, str]:
    """Return name and version of an sdist or an older kind of archive."""
    stem = _without_target(stem, kind)
    splits = [(stem[:at], stem[at + 1 :]) for at, c in enumerate(stem) if c == "-" and at and stem[at + 1 :]]
    if not splits:
        raise InvalidFilename("the file name does not say name-version")
    if project is not None:
        for name, version in splits:
            if is_name(name) and normalize(name) == project:
                return name, version
    for name, version in reversed(splits):
        if canonical_version(version):
            return name, version
    return splits[-1]


def _without_target(stem: str, kind: ArchiveKind) -> str:
    """Return the part of a name up to its version, without the part about Pythons and platforms."""
    pattern = _STEMS.get(kind)
    match = pattern.fullmatch(stem) if pattern is not None else None
    return match["stem"] if match is not None else stem


@lru_cache(REMEMBERED)
def version_key(text: str) -> tuple[bool, Version | str]:
    """Return a sort key: versions by PEP 440; before them, by spelling, texts that are not versions."""
    try:
        return True, Version(text)
    except InvalidVersion:
        return False, text

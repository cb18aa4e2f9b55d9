"""Names of projects and of distribution files, validated before anything else sees them.

``packaging`` knows the grammar of names and versions, yet it is no gate: it takes path
separators, line ends and Unicode look-alikes in file names. So every name first has to
pass an ASCII pattern and a length here.
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
"""How many file names are taken apart once: a name is asked for several times in a row."""

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
    """What kind of distribution archive a file is; the values are the upload API's ``filetype``."""

    WHEEL = "bdist_wheel"
    SDIST = "sdist"
    EGG = "bdist_egg"
    INSTALLER = "bdist_wininst"
    RPM = "bdist_rpm"


class Sidecar(Enum):
    """What may lie beside a file; the values are what its name ends in, after the file's own."""

    METADATA = ".metadata"
    """The core metadata, byte for byte (PEP 658)."""
    SIGNATURE = ".asc"
    """A detached signature, ASCII-armored (PEP 503)."""
    PROVENANCE = ".provenance"
    """The provenance object, as JSON (PEP 740)."""

    def of(self, filename: str) -> str:
        """Give the name that it has beside a file."""
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
"""What stands behind the version in names of these kinds."""


@frozen
class Filename:
    """What the name of a distribution file says."""

    filename: str
    """The name itself, unchanged."""
    project: str
    """The project's normalized name."""
    display_name: str
    """The project's name as it is spelled in the file name."""
    version: str
    """The version: canonical where PEP 440 knows it, else as it is spelled."""
    kind: ArchiveKind
    """What kind of archive its suffix says it is."""


@frozen
class Identity:
    """What a file is to installers: of those that are the same, they take one, whichever.

    Old sdists of one release, in archives of several kinds, are different files.
    """

    project: str
    """The project's normalized name."""
    version: tuple[bool, Version | str]
    """The version, as PEP 440 compares it."""
    suffix: str
    """Which of :data:`SUFFIXES` it has."""
    build: tuple[str, ...] = ()
    """A wheel's build tag: its number without zeros in front, and the rest of it."""
    tags: tuple[frozenset[str], ...] = ()
    """For which Pythons, ABIs and platforms it is; of other kinds, what the name says of that."""


def is_name(text: str) -> bool:
    """Tell whether ``text`` is a valid project name, normalized or not (PEP 508, ASCII only)."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def normalize(name: str) -> str:
    """Give the normalized form of a valid project name (PEP 503)."""
    return str(canonicalize_name(name))


def name_pattern(text: str) -> str:
    """Validate a pattern of project names, in which ``*`` stands for any characters, and normalize it.

    It is matched against normalized names (PEP 503), so its own separators are normalized too.
    """
    bare = text.replace("*", "x")
    if not is_name(bare):
        raise ConfigurationError(f"{text!r} is not a pattern of project names like acme-*")
    return "*".join(normalize(f"x{part}x")[1:-1] for part in text.split("*"))


def canonical_version(text: str) -> str | None:
    """Give the canonical spelling of a version, or ``None`` if it is not one (PEP 440)."""
    if len(text) > MAX_VERSION or not text.isascii() or text != text.strip():
        return None
    try:
        return str(Version(text))
    except (InvalidVersion, ValueError):
        return None


def suffix_of(filename: str) -> str | None:
    """Give which of :data:`SUFFIXES` a file name ends in, or ``None``."""
    return next((suffix for suffix in SUFFIXES if filename.endswith(suffix)), None)


def parse_filename(filename: str, project: str | None = None) -> Filename:
    """Take a distribution's file name apart.

    :param filename: a bare name, from an upload or from a directory.
    :param project: the normalized name of the project it must belong to. It also settles
        where the name of an old sdist ends and its version begins.
    :raises InvalidFilename: it is too long, has characters that no such name needs, is no
        kind of archive that pypid knows, or belongs to another project.
    """
    return _parsed(filename, project)


def identity(filename: str, project: str | None = None) -> Identity:
    """Return what a file is, however its name spells it (PEP 427, PEP 440, PEP 503).

    Parameters and errors are those of :func:`parse_filename`.
    """
    parsed = _parsed(filename, project)
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
    """Find names of one project's files that spell the same file; each group sorted.

    :param filenames: names that :func:`parse_filename` takes for that project.
    """
    groups: dict[Identity, list[str]] = {}
    for filename in sorted(filenames):
        groups.setdefault(identity(filename, project), []).append(filename)
    return [group for group in groups.values() if len(group) > 1]


def python_version(filename: str, kind: ArchiveKind) -> str:
    """Say which Pythons a file is for, as ``pyversion`` of the upload API does.

    :param filename: one that :func:`parse_filename` takes, and finds to be of this kind.
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
    normalized = normalize(name)
    if project is not None and normalized != project:
        raise InvalidFilename(f"the file name is not one of the project {project}")
    if kind is not ArchiveKind.WHEEL:
        version = canonical_version(version) or version
    return Filename(filename, normalized, name, version, kind)


def _split_wheel(filename: str) -> tuple[str, str]:
    """Give name and version of a wheel (binary distribution format, "File name convention")."""
    # The three compressed tag sets multiply; packaging would build every combination.
    if filename.count(".") > MAX_COMPRESSED_TAGS:
        raise InvalidFilename("the wheel's name has too many compressed tags")
    try:
        _, version, _, _ = parse_wheel_filename(filename)
    except ValueError:
        raise InvalidFilename("not a wheel's name: it needs name-version-python-abi-platform.whl") from None
    return filename.split("-", 1)[0], str(version)


def _split_archive(stem: str, kind: ArchiveKind, project: str | None) -> tuple[str, str]:
    """Give name and version of an sdist or an older kind of archive."""
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
    """Return the beginning of a name up to its version, without what it says of Pythons and platforms."""
    pattern = _STEMS.get(kind)
    match = pattern.fullmatch(stem) if pattern is not None else None
    return match["stem"] if match is not None else stem


@lru_cache(REMEMBERED)
def version_key(text: str) -> tuple[bool, Version | str]:
    """Sort versions by PEP 440, and before them, by spelling, what is none."""
    try:
        return True, Version(text)
    except InvalidVersion:
        return False, text

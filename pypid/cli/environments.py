"""The selection of files and requirements for the chosen platforms and versions of Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product

from attrs import frozen
from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.tags import compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from pypid.errors import ConfigurationError
from pypid.model import File
from pypid.names import ArchiveKind

__all__ = ["Choice", "Platform", "Python"]

_PLATFORM = re.compile(
    r"(?P<kind>manylinux|musllinux|macosx)_(?P<major>[0-9]{1,2})_(?P<minor>[0-9]{1,2})_(?P<machine>[a-z0-9_]+)"
    r"|linux_(?P<linux>[a-z0-9_]+)|win32|win_(?P<windows>[a-z0-9]+)"
)
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}  # PEP 600
_PYTHON = re.compile(r"3\.(?P<minor>[0-9]{1,2})(?P<threaded>t?)")
_USUAL_PYTHONS = range(8, 20)
"""The minor versions for which markers are evaluated if none was chosen."""
_USUAL_PLATFORMS = ("linux_x86_64", "linux_aarch64", "macosx_14_0_arm64", "macosx_14_0_x86_64", "win_amd64")
"""The platforms for which markers are evaluated if none was chosen."""
_SETS = ("extra", "dependency_groups")
"""Names in markers that cannot be chosen here; requirements with them are always wanted."""


@frozen
class Platform:
    """A platform, named as in the file names of wheels, with the older platforms it is compatible with."""

    tags: frozenset[str]
    """The platform tags of wheels for it, apart from ``any``."""
    system: str
    """The value of ``sys.platform`` there."""
    machine: str
    """The value of ``platform.machine()`` there."""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse a platform such as ``manylinux_2_28_x86_64``. :raises ConfigurationError: it is malformed."""
        match = _PLATFORM.fullmatch(text)
        if match is None:
            raise ConfigurationError(
                f"{text[:80]!a} is no platform like manylinux_2_28_x86_64, musllinux_1_2_aarch64,"
                " macosx_14_0_arm64 or win_amd64"
            )
        kind, machine = match["kind"], match["machine"] or match["linux"]
        if machine is None:
            return cls(frozenset({text}), "win32", (match["windows"] or "x86").upper())
        if kind is None:
            return cls(frozenset({text}), "linux", machine)
        version = int(match["major"]), int(match["minor"])
        if kind == "macosx":
            return cls(frozenset(mac_platforms(version, machine)), "darwin", machine)
        return cls(frozenset({f"linux_{machine}", *_linux(kind, version, machine)}), "linux", machine)

    @property
    def markers(self) -> dict[str, str]:
        """The known values of environment markers there (PEP 508)."""
        names = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
        return {
            "os_name": "nt" if self.system == "win32" else "posix",
            "sys_platform": self.system,
            "platform_system": names[self.system],
            "platform_machine": self.machine,
            "platform_release": "",
            "platform_version": "",
        }


@frozen
class Python:
    """A minor version of CPython."""

    minor: int
    """The minor number: 12 for 3.12."""
    threaded: bool = False
    """Whether it is free-threaded (PEP 703)."""

    @classmethod
    def parse(cls, text: str) -> Python:
        """Parse a version such as ``3.12`` or ``3.14t``. :raises ConfigurationError: it is malformed."""
        match = _PYTHON.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"{text[:80]!a} is no version of Python like 3.12")
        return cls(int(match["minor"]), bool(match["threaded"]))

    @property
    def tags(self) -> Iterator[tuple[str, str]]:
        """The interpreter and ABI tags of wheels for it."""
        version, interpreter = (3, self.minor), f"cp3{self.minor}"
        abi = f"{interpreter}t" if self.threaded else interpreter
        for tag in cpython_tags(version, [abi], ["any"]):
            yield tag.interpreter, tag.abi
        for tag in compatible_tags(version, interpreter, ["any"]):
            yield tag.interpreter, tag.abi

    @property
    def markers(self) -> Iterator[dict[str, str]]:
        """The values of environment markers there (PEP 508), for the first and the last possible release."""
        for full in (f"3.{self.minor}.0", f"3.{self.minor}.99"):
            yield {
                "python_version": f"3.{self.minor}",
                "python_full_version": full,
                "implementation_name": "cpython",
                "implementation_version": full,
                "platform_python_implementation": "CPython",
            }


@frozen(slots=False)
class Choice:
    """The chosen environments; without a choice, all."""

    platforms: Sequence[Platform] = ()
    """The platforms; empty for all."""
    pythons: Sequence[Python] = ()
    """The versions of Python; empty for all."""
    sdists: bool = True
    """Whether archives other than wheels are wanted."""

    def wants(self, file: File) -> bool:
        """Return whether a file suits one of the environments."""
        if file.kind is not ArchiveKind.WHEEL:
            # Old kinds of archives depend on the platform, but no current installer takes them.
            return self.sdists and (file.kind is ArchiveKind.SDIST or not (self.platforms or self.pythons))
        _, _, _, tags = parse_wheel_filename(file.filename)
        return any(
            (not self.platforms or tag.platform in self._platform_tags)
            and (not self.pythons or (tag.interpreter, tag.abi) in self._python_tags)
            for tag in tags
        )

    def needs(self, marker: Marker | None) -> bool:
        """Return whether a requirement with this marker may apply to one of the environments."""
        if marker is None or not (self.platforms or self.pythons):
            return True
        text = str(marker)
        if any(name in text for name in _SETS):
            return True
        return any(_holds(marker, environment) for environment in self._environments())

    @cached_property
    def _platform_tags(self) -> frozenset[str]:
        return frozenset({"any"}.union(*(platform.tags for platform in self.platforms)))

    @cached_property
    def _python_tags(self) -> frozenset[tuple[str, str]]:
        return frozenset(tags for python in self.pythons for tags in python.tags)

    def _environments(self) -> Iterator[dict[str, str]]:
        platforms = self.platforms or [Platform.parse(text) for text in _USUAL_PLATFORMS]
        pythons = self.pythons or [Python(minor) for minor in _USUAL_PYTHONS]
        for platform, python in product(platforms, pythons):
            for markers in python.markers:
                yield platform.markers | markers


def _holds(marker: Marker, environment: dict[str, str]) -> bool:
    try:
        return marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True  # it is better to fetch too much than too little


def _linux(kind: str, version: tuple[int, int], machine: str) -> Iterator[str]:
    """Yield the tags of this version of a C library and of all before it (PEP 600, PEP 656)."""
    major, newest = version
    for minor in range(newest + 1):
        yield f"{kind}_{major}_{minor}_{machine}"
        if kind == "manylinux" and (major, minor) in _LEGACY:
            yield f"{_LEGACY[major, minor]}_{machine}"

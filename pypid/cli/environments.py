"""Which files, and which requirements, are for the platforms and Pythons that people chose."""

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
"""The minor versions that a marker may be about, if none was chosen."""
_USUAL_PLATFORMS = ("linux_x86_64", "linux_aarch64", "macosx_14_0_arm64", "macosx_14_0_x86_64", "win_amd64")
"""The platforms that a marker may be about, if none was chosen."""
_SETS = ("extra", "dependency_groups")
"""What else markers may ask for: nobody chose any of it, so it is taken to be wanted."""


@frozen
class Platform:
    """A platform, named as in the names of wheels, with the older ones that it is compatible with."""

    tags: frozenset[str]
    """What the wheels for it may have for a platform, apart from ``any``."""
    system: str
    """What ``sys.platform`` is there."""
    machine: str
    """What ``platform.machine()`` is there."""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read a platform such as ``manylinux_2_28_x86_64``. :raises ConfigurationError: it is none."""
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
        """The values of markers there (PEP 508), as far as they are known."""
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
    """Its number: 12 of 3.12."""
    threaded: bool = False
    """Whether it is free-threaded (PEP 703)."""

    @classmethod
    def parse(cls, text: str) -> Python:
        """Read a version such as ``3.12`` or ``3.14t``. :raises ConfigurationError: it is none."""
        match = _PYTHON.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"{text[:80]!a} is no version of Python like 3.12")
        return cls(int(match["minor"]), bool(match["threaded"]))

    @property
    def tags(self) -> Iterator[tuple[str, str]]:
        """What it takes, as interpreter and ABI."""
        version, interpreter = (3, self.minor), f"cp3{self.minor}"
        abi = f"{interpreter}t" if self.threaded else interpreter
        for tag in cpython_tags(version, [abi], ["any"]):
            yield tag.interpreter, tag.abi
        for tag in compatible_tags(version, interpreter, ["any"]):
            yield tag.interpreter, tag.abi

    @property
    def markers(self) -> Iterator[dict[str, str]]:
        """The values of markers there (PEP 508), for its first release and for the last that there may be."""
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
    """What people want of what there is; all of it, if they chose nothing."""

    platforms: Sequence[Platform] = ()
    """The platforms; none for all."""
    pythons: Sequence[Python] = ()
    """The Pythons; none for all."""
    sdists: bool = True
    """Whether what is no wheel is wanted."""

    def wants(self, file: File) -> bool:
        """Tell whether a file is for one of the environments."""
        if file.kind is not ArchiveKind.WHEEL:
            # Of old kinds of archives, which depend on platforms, no present installer takes any.
            return self.sdists and (file.kind is ArchiveKind.SDIST or not (self.platforms or self.pythons))
        _, _, _, tags = parse_wheel_filename(file.filename)
        return any(
            (not self.platforms or tag.platform in self._platform_tags)
            and (not self.pythons or (tag.interpreter, tag.abi) in self._python_tags)
            for tag in tags
        )

    def needs(self, marker: Marker | None) -> bool:
        """Tell whether what has such a marker may be needed in one of the environments."""
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
        return True  # rather too much than too little


def _linux(kind: str, version: tuple[int, int], machine: str) -> Iterator[str]:
    """Give the tags of this version of a C library and of those before it (PEP 600, PEP 656)."""
    major, newest = version
    for minor in range(newest + 1):
        yield f"{kind}_{major}_{minor}_{machine}"
        if kind == "manylinux" and (major, minor) in _LEGACY:
            yield f"{_LEGACY[major, minor]}_{machine}"

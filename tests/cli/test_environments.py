"""The choice of files for given platforms and Pythons."""

from __future__ import annotations

import pytest
from packaging.markers import Marker

from pypid.cli.environments import Choice, Platform, Python
from pypid.errors import ConfigurationError
from pypid.model import File
from pypid.names import parse_filename

LINUX = Platform.parse("manylinux_2_28_x86_64")


def file(filename: str) -> File:
    """Describe a file by its name."""
    name = parse_filename(filename)
    return File(filename, name.version, name.kind, None, {}, None, None)


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        ("py3-none-any.whl", True),
        ("py2-none-any.whl", False),
        ("cp311-none-any.whl", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("cp311-cp311-manylinux2014_x86_64.whl", True),
        ("cp311-cp311-manylinux_2_28_x86_64.whl", True),
        ("cp311-cp311-linux_x86_64.whl", True),
        ("cp39-abi3-manylinux1_x86_64.whl", True),
        ("cp312-abi3-manylinux1_x86_64.whl", False),
        ("cp311-cp311-manylinux_2_34_x86_64.whl", False),
        ("cp311-cp311-manylinux_2_17_aarch64.whl", False),
        ("cp312-cp312-manylinux_2_17_x86_64.whl", False),
        ("cp311-cp311-musllinux_1_2_x86_64.whl", False),
        ("cp311-cp311-win_amd64.whl", False),
        ("pp311-pypy311_pp73-manylinux_2_17_x86_64.whl", False),
    ],
)
def test_wheels_for_an_environment(rest: str, wanted: bool) -> None:
    choice = Choice([LINUX], [Python.parse("3.11")])
    assert choice.wants(file(f"foo-1.0-{rest}")) is wanted
    assert Choice().wants(file(f"foo-1.0-{rest}"))


@pytest.mark.parametrize(
    ("platform", "rest"),
    [
        ("musllinux_1_2_aarch64", "cp39-cp39-musllinux_1_1_aarch64.whl"),
        ("macosx_14_0_arm64", "cp39-cp39-macosx_11_0_arm64.whl"),
        ("macosx_14_0_arm64", "cp39-cp39-macosx_10_9_universal2.whl"),
        ("win_amd64", "cp39-cp39-win_amd64.whl"),
        ("win32", "cp39-cp39-win32.whl"),
        ("linux_armv7l", "cp39-cp39-linux_armv7l.whl"),
    ],
)
def test_platforms_with_what_they_are_compatible_with(platform: str, rest: str) -> None:
    choice = Choice([Platform.parse(platform)])
    assert choice.wants(file(f"foo-1.0-{rest}"))
    assert not choice.wants(file("foo-1.0-cp39-cp39-manylinux_2_17_x86_64.whl"))


def test_free_threaded_python() -> None:
    threaded, usual = (Choice(pythons=[Python.parse(text)]) for text in ("3.14t", "3.14"))
    wheel = file("foo-1.0-cp314-cp314t-win_amd64.whl")
    assert threaded.wants(wheel)
    assert not usual.wants(wheel)


def test_what_is_no_wheel() -> None:
    """An sdist is for all; what no present installer takes is fetched only with everything else."""
    sdist, egg = file("foo-1.0.tar.gz"), file("foo-1.0-py3.11.egg")
    assert [choice.wants(sdist) for choice in (Choice(), Choice([LINUX]), Choice(sdists=False))] == [1, 1, 0]
    assert [choice.wants(egg) for choice in (Choice(), Choice([LINUX]), Choice(sdists=False))] == [1, 0, 0]


@pytest.mark.parametrize(
    ("marker", "both", "python"),
    [
        ("sys_platform == 'win32'", False, True),
        ("sys_platform == 'linux' and platform_machine == 'x86_64'", True, True),
        ("python_version < '3.10'", False, False),
        ("python_full_version < '3.11.4'", True, True),
        ("os_name == 'nt' and python_version < '3.10'", False, False),
        ("implementation_name == 'pypy'", False, False),
        ("extra == 'fast'", True, True),
    ],
)
def test_markers(marker: str, both: bool, python: bool) -> None:
    """Where only Pythons were chosen, one platform that needs it is enough; nobody chose any extras."""
    chosen = Python.parse("3.11")
    assert Choice([LINUX], [chosen]).needs(Marker(marker)) is both
    assert Choice(pythons=[chosen]).needs(Marker(marker)) is python
    assert Choice().needs(Marker(marker))
    assert Choice([LINUX], [chosen]).needs(None)


@pytest.mark.parametrize(
    "text", ["linux", "", "manylinux_2_28", "win_", "any", "manylinux_2_28_x86-64", "a" * 99]
)
def test_no_platforms(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Platform.parse(text)


@pytest.mark.parametrize("text", ["", "3", "2.7", "3.x", "cp311", "3.11.2"])
def test_no_pythons(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Python.parse(text)

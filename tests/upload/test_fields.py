"""The common fields of forms and core metadata."""

from __future__ import annotations

from time import thread_time

import pytest

from pypid.errors import InvalidUpload
from pypid.upload.fields import check_metadata_version, requirements, specifiers


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", None])
def test_c164_known_versions(version: str | None) -> None:
    assert list(check_metadata_version(version)) == []


@pytest.mark.parametrize("version", ["2.0", "2.7", "2.10"])
def test_c164_compatible_versions(version: str) -> None:
    [objection] = check_metadata_version(version)
    assert objection.startswith("metadata_version: ")


@pytest.mark.parametrize("version", ["3.0", "1.3", "0.9", "2", "2.x", "2.1\n", "12.1", "2.9999"])
def test_c164_other_versions(version: str) -> None:
    with pytest.raises(InvalidUpload, match=r"^metadata_version: "):
        list(check_metadata_version(version))


def test_c165_specifiers() -> None:
    assert specifiers(" >=3.8,<4") == specifiers("<4, >=3.8")
    assert str(specifiers(None)) == ""


@pytest.mark.parametrize(
    "text", ["nonsense", ">=3<script>", ">=3," * 100_000, ">=3 \n>=4", ">=" + "9" * 5000, "\x00"]
)
def test_b232_specifiers_refused(text: str) -> None:
    """In no time, and without being repeated."""
    started = thread_time()
    with pytest.raises(InvalidUpload, match=r"^requires_python: not a list of version specifiers"):
        specifiers(text)
    assert thread_time() - started < 0.1


def test_c165_requirements() -> None:
    """They are compared by what they mean."""
    one = requirements(["Foo_Bar>=1,<2", 'x; extra == "y"', "a[b]"])
    assert one == requirements(["a[b]", 'x ; extra=="y"', "foo-bar<2,>=1", "a[b]"])
    assert one != requirements(["a[b]", "foo-bar<2,>=1"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo (>=1.0.*",
        "-",
        "a>=1\nb",
        "a; python_version <",
        "a" * 5000,
        "a; " + "(" * 1900 + 'os_name == "x"' + ")" * 1900,
        "\N{KELVIN SIGN}",
    ],
)
def test_c165_requirements_refused(text: str) -> None:
    """They are shown as what can be printed, and not at length."""
    started = thread_time()
    with pytest.raises(InvalidUpload, match=r"^requires_dist: not a requirement by PEP 508: '") as caught:
        requirements(["good", text])
    assert thread_time() - started < 1
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 150


def test_fault_c3_requirements_are_not_endless() -> None:
    """Some take milliseconds each; each one is parsed once."""
    many = [f"a{number}" + ",".join(["<1"] * 1_200) for number in range(120)]
    with pytest.raises(InvalidUpload, match="longer than 400000 characters"):
        requirements(many)
    assert len(requirements(many[:1] * 1_000)) == 1

"""An archive, and what it says against what its form says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import pytest
from harness import forgery
from harness.forgery import Part, forge, parts

from pypid.errors import InvalidUpload
from pypid.form import UploadForm
from pypid.names import parse_filename
from pypid.testing.builds import core_metadata, sdist, wheel
from pypid.upload import CheckedContent, UploadRules, check_content

REQUIRES = ("dep>=1.0,<2", 'other; extra == "x"')


def check(
    build: tuple[str, bytes], fields: Mapping[str, Sequence[str]] | None = None, *, strict: bool = False
) -> CheckedContent:
    filename, data = build
    form = UploadForm(
        {name: tuple(values) for name, values in (fields or {}).items()}, filename, len(data), {}
    )
    return check_content(BytesIO(data), form, parse_filename(filename), UploadRules(strict=strict))


EVIL = "evil-1.0-py3-none-any.whl"
ELSEWHERE = forgery.tar_file("x/PKG-INFO", core_metadata("evil", "1.0"))


def with_metadata(metadata: bytes) -> tuple[str, bytes]:
    members = [Part(part.name, metadata if part.name.endswith("METADATA") else part.data) for part in parts()]
    return EVIL, forge(members)


def test_good() -> None:
    """What is right has its metadata and no warnings, to everybody."""
    for build in (wheel("acme", "1.0"), sdist("acme", "1.0")):
        checked = check(build, strict=True)
        assert checked.metadata == core_metadata("acme", "1.0")
        assert checked.warnings == ()


def test_c159_form_that_says_the_same_in_other_words() -> None:
    """Order, spaces and spelling make no difference, nor what the form leaves out."""
    build = wheel("acme", "1.0", requires_python=">=3.9,<4", requires_dist=REQUIRES)
    check(build)
    check(build, {"requires_python": ["<4, >=3.9"], "requires_dist": ['other ; extra=="x"', "Dep <2,>=1.0"]})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("requires_python", [">=3.10"]),
        ("requires_dist", ["dep>=1.0,<2"]),
        ("requires_dist", [*REQUIRES, "hidden"]),
        ("requires_dist", ["hidden"]),
    ],
)
def test_t10_b228_form_that_says_something_else(field: str, values: list[str]) -> None:
    build = wheel("acme", "1.0", requires_python=">=3.9,<4", requires_dist=REQUIRES)
    with pytest.raises(InvalidUpload, match=f"^{field}: the metadata inside the archive"):
        check(build, {field: values})


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        (core_metadata("other", "1.0"), "name"),
        (core_metadata("evil", "2.0"), "version"),
        (core_metadata("evil", "1.0", ">=3<script>"), "requires_python"),
        (core_metadata("evil", "1.0", None, ["a b"]), "requires_dist"),
        (core_metadata("evil", "1.0").replace(b"2.1", b"3.0", 1), "metadata_version"),
        (b"nonsense", "content"),
        (b"\xff", "content"),
    ],
)
def test_k_metadata_that_is_refused(metadata: bytes, field: str) -> None:
    with pytest.raises(InvalidUpload, match=f"^{field}: "):
        check(with_metadata(metadata))


@pytest.mark.parametrize(
    ("build", "fields", "said"),
    [
        (wheel("acme", "1.0+cpu"), {}, "version: it is a local one"),
        (("Acme-1.0.tar.gz", sdist("acme", "1.0")[1]), {}, "PEP 625 says, acme-1.0.tar.gz"),
        (with_metadata(core_metadata("evil", "1.0").replace(b"2.1", b"2.9", 1)), {}, "metadata_version: "),
        (wheel("acme", "1.0"), {"metadata_version": ["2.0"]}, "metadata_version: "),
        ((EVIL, forge(parts(), comment=b"x")), {}, "content: the archive has a comment"),
        (
            (EVIL, forge([*parts(), Part("evil/a.py", b"")])),
            {},
            "content: the wheel's RECORD does not list",
        ),
        (
            ("evil-1.0.tar.gz", forgery.sdist(pkg_info=ELSEWHERE)),
            {},
            "content: the sdist's top-level directory",
        ),
    ],
    ids=["local", "PEP 625", "metadata", "form", "comment", "RECORD", "directory"],
)  # fmt: skip
def test_k_strict_refuses_what_permissive_warns_of(
    build: tuple[str, bytes], fields: Mapping[str, Sequence[str]], said: str
) -> None:
    warnings = check(build, fields).warnings
    assert [warning for warning in warnings if said in warning]
    with pytest.raises(InvalidUpload, match=": "):
        check(build, fields, strict=True)


def test_name_of_the_standard_library() -> None:
    """It is a warning to everybody."""
    for strict in (False, True):
        [warning] = check(wheel("json", "1.0"), strict=strict).warnings
        assert warning.startswith("name: ")


def test_old_kind_without_metadata() -> None:
    """There is nothing to compare."""
    assert check(("acme-1.0.win32.exe", b"MZ...")).metadata is None

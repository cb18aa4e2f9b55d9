"""The contents of an archive, compared with its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

import pytest
from harness import forgery
from harness.forgery import Part, forge, parts

from pypid.errors import InvalidUpload
from pypid.names import parse_filename
from pypid.testing.builds import core_metadata, sdist, wheel
from pypid.upload import CheckedContent, UploadRules, check_content
from pypid.upload.form import UploadForm

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


def renamed(build: tuple[str, bytes], filename: str) -> tuple[str, bytes]:
    return filename, build[1]


def with_member(
    name: str, data: bytes, metadata: bytes = forgery.MEMBERS[f"{forgery.INFO}/METADATA"]
) -> tuple[str, bytes]:
    """Build a wheel with one more file, that RECORD lists, and with other metadata."""
    record = forgery.MEMBERS[f"{forgery.INFO}/RECORD"] + f"{name},,\n".encode()
    members = {
        **forgery.MEMBERS,
        f"{forgery.INFO}/METADATA": metadata,
        f"{forgery.INFO}/RECORD": record,
        name: data,
    }
    return EVIL, forge([Part(*member) for member in members.items()])


def licensed(*paths: str, version: str = "2.4") -> bytes:
    lines = [
        f"Metadata-Version: {version}",
        "Name: evil",
        "Version: 1.0",
        *(f"License-File: {one}" for one in paths),
    ]
    return "\n".join([*lines, ""]).encode()


SCRIPTS = f"{forgery.INFO}/entry_points.txt"
LICENSE = f"{forgery.INFO}/licenses/LICENSE"
NO_LICENSE = "license_file: the archive does not have one"
ENTRY_POINTS = "content: the wheel's entry_points.txt is not as it must be"


@pytest.mark.parametrize(
    ("build", "fields", "said"),
    [
        (
            renamed(wheel("evil", "1.0"), "Evil-1.0-py3-none-any.whl"),
            {},
            "dist-info directory is spelled otherwise",
        ),
        (
            renamed(wheel("evil", "1.0"), "evil-1.0-py3-none-linux_x86_64.whl"),
            {},
            "does not know, linux_x86_64",
        ),
        (
            renamed(wheel("evil", "1.0"), "evil-1.0-py3-none-any.macosx_12_1_arm64.whl"),
            {},
            "know, macosx_12_1",
        ),
        (sdist("evil", "1.0"), {"pyversion": ["3.11"]}, "pyversion: of an sdist it is source"),
        (
            wheel("evil", "1.0", requires_dist=["a @ https://example.org/a.whl"]),
            {},
            "requires_dist: it has a direct",
        ),
        (with_member(SCRIPTS, b"[console_scripts]\n../x = a:b\n"), {}, ENTRY_POINTS),
        (with_member(SCRIPTS, b"[gui_scripts]\na b = a:b\n"), {}, ENTRY_POINTS),
        (with_member(SCRIPTS, b"x = a:b\n"), {}, ENTRY_POINTS),
        (with_member(SCRIPTS, b"[x]\na = b\na = c\n"), {}, ENTRY_POINTS),
        (with_member(SCRIPTS, b"[x]\na = \xe9\n"), {}, ENTRY_POINTS),
        (with_member(SCRIPTS, b"#" * 200_001), {}, ENTRY_POINTS),
        (with_member("evil/LICENSE", b"", licensed("LICENSE")), {}, NO_LICENSE),
        (with_member(LICENSE, b"", licensed("LICENSE", "OTHER")), {}, NO_LICENSE),
        (
            (
                forgery.SDIST,
                forgery.sdist(pkg_info=forgery.tar_file("evil-1.0/PKG-INFO", licensed("LICENSE"))),
            ),
            {},
            NO_LICENSE,
        ),
    ],
)
def test_fault_c4_what_else_pypi_refuses(
    build: tuple[str, bytes], fields: Mapping[str, Sequence[str]], said: str
) -> None:
    """Strict rules refuse it, and others warn."""
    warnings = check(build, fields).warnings
    assert said in " ".join(warnings)
    with pytest.raises(InvalidUpload):
        check(build, fields, strict=True)


@pytest.mark.parametrize(
    ("build", "fields"),
    [
        (
            renamed(wheel("evil", "1.0"), "evil-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
            {},
        ),
        (renamed(wheel("evil", "1.0"), "evil-1.0-py3-none-MacOSX_10_9_universal2.whl"), {}),
        (renamed(wheel("evil", "1.0"), "evil-1.0-py3-none-musllinux_1_2_riscv64.whl"), {}),
        (sdist("evil", "1.0"), {"pyversion": ["source"]}),
        (with_member(SCRIPTS, b"[console_scripts]\nA-b.c = a:b [x]\n\n[x]\na b/c = %(d)s\n"), {}),
        (with_member(LICENSE, b"", licensed("LICENSE")), {}),
        (with_member("evil/x", b"", licensed("LICENSE", version="2.1")), {}),
        (
            (
                forgery.SDIST,
                forgery.sdist(
                    forgery.tar_file("evil-1.0/a/LICENSE", b""),
                    pkg_info=forgery.tar_file("evil-1.0/PKG-INFO", licensed("a/LICENSE")),
                ),
            ),
            {},
        ),
    ],
)
def test_c4_what_pypi_takes(build: tuple[str, bytes], fields: Mapping[str, Sequence[str]]) -> None:
    assert check(build, fields, strict=True).warnings == ()

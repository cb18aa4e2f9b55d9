"""Names of projects, versions and distribution files."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid import names
from pypid.errors import InvalidFilename
from pypid.names import (
    MAX_VERSION,
    ArchiveKind,
    Filename,
    canonical_version,
    identity,
    is_name,
    normalize,
    parse_filename,
    python_version,
    same_files,
)

WHEEL, SDIST, EGG, INSTALLER = ArchiveKind.WHEEL, ArchiveKind.SDIST, ArchiveKind.EGG, ArchiveKind.INSTALLER
RPM = ArchiveKind.RPM
KELVIN = "\u212a"

suffixes = st.sampled_from(
    [".whl", ".tar.gz", ".zip", ".tgz", ".egg", ".exe", ".msi", "-py3-none-any.whl", ""]
)
pieces = st.sampled_from(
    ["foo", "Bar", "1.0", "2", "-", "_", ".", "+", "!", "py3", "-py2.7", ".win32", ".linux-x86_64"]
)
plausible = st.tuples(st.lists(pieces, max_size=10).map("".join), suffixes).map("".join)
anything = st.tuples(st.text(max_size=30), suffixes).map("".join)


def refusal(filename: str, project: str | None = None) -> str:
    """Why a file name is refused."""
    with pytest.raises(InvalidFilename) as caught:
        parse_filename(filename, project)
    return str(caught.value)


@pytest.mark.parametrize(
    ("filename", "project", "display_name", "version", "kind"),
    [
        ("six-1.16.0-py2.py3-none-any.whl", "six", "six", "1.16.0", WHEEL),
        ("Foo_Bar-1.0-1-cp311-abi3-manylinux_2_17_x86_64.whl", "foo-bar", "Foo_Bar", "1.0", WHEEL),
        ("torch-2.0.0+cpu-cp311-cp311-linux_x86_64.whl", "torch", "torch", "2.0.0+cpu", WHEEL),
        ("zope.interface-8.0-py3-none-any.whl", "zope-interface", "zope.interface", "8.0", WHEEL),
        ("foo-1!2.0.tar.gz", "foo", "foo", "1!2.0", SDIST),
        ("foo_bar-1.0.tar.gz", "foo-bar", "foo_bar", "1.0", SDIST),
        ("foo-01.0.0.zip", "foo", "foo", "1.0.0", SDIST),
        ("foo-1.0a1.dev3.tar.bz2", "foo", "foo", "1.0a1.dev3", SDIST),
        ("foo-1.0.tgz", "foo", "foo", "1.0", SDIST),
        ("foo-1.0.tar.xz", "foo", "foo", "1.0", SDIST),
        ("foo-1.0.tar.Z", "foo", "foo", "1.0", SDIST),
        ("foo_bar-1.0-py2.7.egg", "foo-bar", "foo_bar", "1.0", EGG),
        ("foo-1.0-py2.7-linux-x86_64.egg", "foo", "foo", "1.0", EGG),
        ("foo-1.0.egg", "foo", "foo", "1.0", EGG),
        ("foo-1.0.win32.exe", "foo", "foo", "1.0", INSTALLER),
        ("foo-bar-1.0.win32-py2.7.exe", "foo-bar", "foo-bar", "1.0", INSTALLER),
        ("foo-1.0.win-amd64-py3.4.msi", "foo", "foo", "1.0", INSTALLER),
        ("foo-1.0.linux-x86_64.exe", "foo", "foo", "1.0", INSTALLER),
        ("foo-1.0.macosx-10.9-x86_64.exe", "foo", "foo", "1.0", INSTALLER),
        ("foo-bar-1.0-1.noarch.rpm", "foo-bar", "foo-bar", "1.0", RPM),
        ("foo-1.0-2.src.rpm", "foo", "foo", "1.0", RPM),
    ],
)
def test_filename(filename: str, project: str, display_name: str, version: str, kind: ArchiveKind) -> None:
    """Every kind of archive says its project and version, with the project known before or not."""
    wanted = Filename(filename, project, display_name, version, kind)
    assert parse_filename(filename) == wanted
    assert parse_filename(filename, project) == wanted


@pytest.mark.parametrize(
    ("filename", "project", "display_name", "version"),
    [
        ("foo-bar-1.0.tar.gz", None, "foo-bar", "1.0"),
        ("foo-bar-1.0.tar.gz", "foo-bar", "foo-bar", "1.0"),
        ("zope.app-form-1.0.zip", "zope-app-form", "zope.app-form", "1.0"),
        ("foo-1.0-1.tar.gz", "foo", "foo", "1.0.post1"),
        ("foo-2-2.tar.gz", "foo-2", "foo-2", "2"),
        ("foo-1.0-beta.tar.gz", "foo", "foo", "1.0b0"),
        ("foo-1.0-final-r3.tar.gz", "foo", "foo", "1.0-final-r3"),
        ("foo-trunk.tar.gz", None, "foo", "trunk"),
    ],
)
def test_sdist_with_hyphens(filename: str, project: str | None, display_name: str, version: str) -> None:
    """The project tells where an old sdist's name ends; a version of no known form stays as it is."""
    found = parse_filename(filename, project)
    assert (found.display_name, found.version) == (display_name, version)
    assert found.project == normalize(display_name)


@pytest.mark.parametrize("filename", ["foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", "foo-1.0-py2.7.egg"])
def test_file_of_another_project(filename: str) -> None:
    """A file belongs to the project that it names."""
    assert refusal(filename, "bar") == "the file name is not one of the project bar"


@pytest.mark.parametrize(
    "filename",
    [
        "../../a-1.tar.gz",
        "/a-1.tar.gz",
        "a/b-1.tar.gz",
        "..-1.tar.gz",
        ".a-1.tar.gz",
        "a\\b-1.tar.gz",
        "C:a-1.tar.gz",
        "-a-1.tar.gz",
        "~a-1.tar.gz",
        "a-1.tar.gz\0",
    ],
)
def test_b159_paths(filename: str) -> None:
    """Nothing but a bare name goes through."""
    assert "characters outside" in refusal(filename)


@pytest.mark.parametrize(
    "filename",
    [
        "a-1\n-py3-none-any.whl",
        "a-1-py3-none-any.whl\n",
        "a-1.tar.gz\n",
        "a-1\r.tar.gz",
        "a -1.tar.gz",
        "a\t-1.tar.gz",
        "a\x7f-1.tar.gz",
        "a-1-py3-none-<img src=x onerror=1>.whl",
        "a-1-py3-none-<img>.whl",
        'a-1"x.tar.gz',
        "a-1&x.tar.gz",
        "a-1%2f.tar.gz",
        "a-1;x.tar.gz",
    ],
)
def test_b162_b165_lines_and_markup(filename: str) -> None:
    """Neither a header nor a page can be broken with a file name, nor is it repeated."""
    assert refusal(filename) == "the file name has characters outside A-Z a-z 0-9 _ . + ! -"


def test_b168_compressed_tags_are_not_multiplied() -> None:
    """A wheel with more tags than there are platforms is refused before they are combined."""
    tags = ".".join(["p"] * 20)
    with patch.object(names, "parse_wheel_filename", side_effect=AssertionError("was called")):
        assert "too many compressed tags" in refusal(f"a-1-{tags}-{tags}-any.whl")
        assert "longer than" in refusal("a-1-" + "-".join([".".join(["p"] * 300)] * 3) + ".whl")


def test_compressed_tags_of_real_wheels() -> None:
    """Wheels for many platforms are fine."""
    platforms = "manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64"
    assert parse_filename(f"a-1.2.3-cp310.cp311.cp312-abi3-{platforms}.whl").version == "1.2.3"


@pytest.mark.parametrize(
    "text",
    [
        KELVIN,
        f"{KELVIN}ivy",
        "\uff41",
        "a\u202eb",
        "a\u200bb",
        "a\U0001f600",
        "caf\u00e9",
        "cafe\u0301",
        "a\ud800",
        "\u0661",
        "\u017f",
    ],
)
def test_b173_unicode(text: str) -> None:
    """Look-alikes are refused rather than folded."""
    assert not is_name(text)
    assert canonical_version(f"1.{text}") is None
    assert "characters outside" in refusal(f"{text}-1.tar.gz")


@pytest.mark.parametrize("name", ["a", "A", "0", "foo", "Foo.Bar_baz-9", "a--b", "a" * 100])
def test_name(name: str) -> None:
    """Letters, digits and, between them, hyphens, underscores and dots make a name."""
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "-", ".", "..", "_a", "a_", "-a", "a-", ".a", "a.", "a b", "a/b", "a+b", "a\n", "\na", "a\0"]
)
def test_c12_no_name(name: str) -> None:
    """Anything else is none, nor is one that begins or ends with a separator."""
    assert not is_name(name)


@pytest.mark.parametrize("length", [101, 1000, 10**6])
def test_b180_long_name(length: int) -> None:
    """Names have at most a hundred characters, and no file has more than two hundred."""
    assert not is_name("a" * length)
    with pytest.raises(InvalidFilename):
        parse_filename("a" * length + "-1.tar.gz")


def test_longest_filename() -> None:
    """Two hundred characters are fine, one more is not."""
    assert parse_filename("a-" + "1" * 191 + ".tar.gz").project == "a"
    assert "longer than 200 characters" in refusal("a-" + "1" * 192 + ".tar.gz")


@pytest.mark.parametrize(
    "version",
    [
        pytest.param("9" * 5000, id="b185_5000_digits"),
        pytest.param("9" * 4300, id="b186_4300_digits"),
        pytest.param("1" + ".0" * 5000, id="b187_5000_components"),
        pytest.param("9" * 101, id="b186_101_digits"),
        pytest.param("1.0\n", id="b188_line_end"),
        pytest.param(" 1.0", id="b188_blank"),
        pytest.param("1.0\t", id="b188_tab"),
        pytest.param("1.0\x1f", id="b188_control"),
        pytest.param("1.\u0661", id="b189_arabic"),
        pytest.param("", id="empty"),
        pytest.param("1.0-foo", id="suffix"),
        pytest.param("latest", id="word"),
    ],
)
def test_no_version(version: str) -> None:
    """What PEP 440 does not know, or only would after cleaning it up, is no version."""
    assert canonical_version(version) is None


@pytest.mark.parametrize(
    ("version", "canonical"),
    [
        ("1.0", "1.0"),
        ("v1.0", "1.0"),
        ("1.0-1", "1.0.post1"),
        ("1.0ALPHA2", "1.0a2"),
        ("1.0+Ubuntu-1", "1.0+ubuntu.1"),
        ("01.02", "1.2"),
        ("999999999999!1", "999999999999!1"),
        ("9" * 100, "9" * 100),
    ],
)
def test_canonical_version(version: str, canonical: str) -> None:
    """B192: versions, absurd ones included, have one spelling."""
    assert canonical_version(version) == canonical


@pytest.mark.parametrize("filename", ["a-1", "a-1.tar.gz.asc", "a-1.whl.metadata", "a-1.deb", "a.py"])
def test_c156_other_kinds(filename: str) -> None:
    """Only archives are files of a project; the message lists them."""
    assert "it ends in none of .whl, .tar.gz" in refusal(filename)


@pytest.mark.parametrize(
    "filename", ["a.tar.gz", "a-.tar.gz", "_a-1.tar.gz", "a_-1.tar.gz", "a.egg", "a-py2.7.egg"]
)
def test_c158_incomplete_names(filename: str) -> None:
    """A file without a name or without a version is refused."""
    assert "name" in refusal(filename)


@pytest.mark.parametrize(
    "tags", ["1", "1-py3-none", "foo-py3-none-any", "1-x-py3-none-any", "-py3-none-any", "1-1-py3-none-any-b"]
)
def test_c157_incomplete_wheel_names(tags: str) -> None:
    """A wheel has a version, maybe a build number, and three tags."""
    assert "it needs name-version-python-abi-platform.whl" in refusal(f"a-{tags}.whl")
    assert refusal("a_-1-py3-none-any.whl")


@given(plausible | anything, st.none() | st.sampled_from(["foo", "foo-bar", "bar"]))
def test_parse_filename_never_surprises(filename: str, project: str | None) -> None:
    """There is one error, and what is no error is a project's file."""
    try:
        found = parse_filename(filename, project)
    except InvalidFilename:
        return
    assert found.filename == filename
    assert is_name(found.project)
    assert normalize(found.project) == found.project == normalize(found.display_name)
    assert filename.startswith(found.display_name + "-")
    assert found.version
    assert found.version == (canonical_version(found.version) or found.version)
    assert project in (None, found.project)


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", fullmatch=True))
def test_c2_normalization(name: str) -> None:
    """A normalized name is a name, in lower case with single hyphens, and stays as it is."""
    normalized = normalize(name)
    assert is_name(name)
    assert is_name(normalized)
    assert normalize(normalized) == normalized == normalized.lower()
    assert not {"_", ".", "--"} & {normalized[at : at + n] for at in range(len(normalized)) for n in (1, 2)}


@given(
    st.text(max_size=120)
    | st.from_regex(r"v?[0-9]{1,3}(\.[0-9]+)*((a|rc|\.post|-)[0-9])?(\+[a-z])?", fullmatch=True)
)
def test_canonical_version_is_canonical(text: str) -> None:
    """A canonical version is its own canonical spelling, and nothing raises."""
    found = canonical_version(text)
    if found is not None and len(found) <= MAX_VERSION:  # "-0" is ".post0": it may have grown
        assert canonical_version(found) == found


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("foo-1.0-cp39.cp310-abi3-any.whl", "cp39.cp310"),
        ("foo-1.0-1-py3-none-any.whl", "py3"),
        ("foo-py3-1.0.tar.gz", "source"),
        ("foo-1.0-py2.7.egg", "2.7"),
        ("foo-1.0-py3.11-linux-x86_64.egg", "3.11"),
        ("foo-1.0.egg", "any"),
        ("foo-1.0-py.egg", "any"),
        ("foo-1.0.win32-py2.7.exe", "2.7"),
        ("foo-1.0.win32.exe", "any"),
    ],
)
def test_which_python_a_file_is_for(filename: str, version: str) -> None:
    assert python_version(filename, parse_filename(filename).kind) == version


@pytest.mark.parametrize(
    ("one", "other", "project"),
    [
        ("x-1.0-py3-none-any.whl", "x-01.0-py3-none-any.whl", "x"),
        ("x-1.0-py3-none-any.whl", "X-1-PY3-none-any.whl", "x"),
        ("x-1.0a1-py3-none-any.whl", "x-1.0.alpha.1-py3-none-any.whl", "x"),
        ("x-1.0+a.1-py3-none-any.whl", "x-1.0+a_1-py3-none-any.whl", "x"),
        ("two_spell-1.0-py3-none-any.whl", "two.spell-1.0-py3-none-any.whl", "two-spell"),
        ("x-1.0-py2.py3-none-any.whl", "x-1.0-py3.py2-none-any.whl", "x"),
        ("x-1.0-py3-none-a.b.whl", "x-1.0-py3-none-b.a.b.whl", "x"),
        ("x-1.0-1-py3-none-any.whl", "x-1.0-01-py3-none-any.whl", "x"),
        ("x-1.0-0a-py3-none-any.whl", "x-1.0-00a-py3-none-any.whl", "x"),
        ("two_spell-1.0.tar.gz", "two.spell-1.0.tar.gz", "two-spell"),
        ("two-spell-1.0.tar.gz", "Two--Spell-1.0.tar.gz", "two-spell"),
        ("x-1.tar.gz", "x-1.0.tar.gz", "x"),
        ("x-1.0.post1.tar.gz", "x-1.0-1.tar.gz", "x"),
        ("x-v1.0.zip", "x-1.0.0.zip", "x"),
        ("x-1-py2.7.egg", "X-1.0-py2.7.egg", "x"),
        ("x-1.0-py2.7-linux-x86_64.egg", "x-1.0-py2.7-Linux-x86_64.egg", "x"),
        ("x-1.0.win32-py2.7.exe", "x-1.win32-py2.7.exe", "x"),
    ],
)
def test_fault_c2_one_file_in_two_spellings(one: str, other: str, project: str) -> None:
    """Installers take either for the same, so they are."""
    assert identity(one, project) == identity(other, project)
    assert hash(identity(one, project)) == hash(identity(other, project))
    assert same_files([one, f"{project}-3.0.zip", other], project) == [sorted([one, other])]


@pytest.mark.parametrize(
    "names",
    [
        [
            "x-1.0-py3-none-any.whl",
            "x-1.0-py2.py3-none-any.whl",
            "x-1.0-py3-abi3-any.whl",
            "x-1.0-py3-none-a.whl",
        ],
        [
            "x-1.0-py3-none-any.whl",
            "x-1.0-0-py3-none-any.whl",
            "x-1.0-1-py3-none-any.whl",
            "x-1.0-1a-py3-none-any.whl",
        ],
        [
            "x-1.0-py3-none-any.whl",
            "x-1.0.post0-py3-none-any.whl",
            "x-1.0+a-py3-none-any.whl",
            "x-1!1.0-py3-none-any.whl",
        ],
        [
            "x-1.0.tar.gz",
            "x-1.0.zip",
            "x-1.0.tar.bz2",
            "x-1.0.tgz",
            "x-1.0-py3-none-any.whl",
            "x-1.0-py2.7.egg",
        ],
        ["x-1.0.egg", "x-1.0-py2.6.egg", "x-1.0-py2.7.egg", "x-1.0-py2.7-win32.egg"],
        ["x-1.0.win32.exe", "x-1.0.win32.msi", "x-1.0.win-amd64.exe", "x-1.0.win32-py2.7.exe"],
        ["x-1.0-1.noarch.rpm", "x-1.0-2.noarch.rpm", "x-1.0-1.src.rpm"],
        ["x-early.tar.gz", "x-late.tar.gz", "x-1.0.tar.gz"],
    ],
)
def test_fault_c2_different_files(names: list[str]) -> None:
    """What installers choose among is not the same, nor are archives of several kinds."""
    assert len({identity(name, "x") for name in names}) == len(names)
    assert same_files(names, "x") == []


@given(plausible, plausible)
def test_fault_c2_what_is_the_same_is_of_one_release(one: str, other: str) -> None:
    """Whatever the names are: the same project, version and kind."""
    try:
        first, second = parse_filename(one), parse_filename(other)
    except InvalidFilename:
        with pytest.raises(InvalidFilename):
            (identity(one), identity(other))
        return
    assert identity(one) == identity(one)
    if identity(one) == identity(other):
        assert (first.project, first.kind) == (second.project, second.kind)
        assert names.version_key(first.version) == names.version_key(second.version)


def test_fault_c2_tags_are_not_multiplied() -> None:
    """Three sets of many tags are compared as sets."""
    tags = [".".join(f"{letter}{n}" for n in range(9)) for letter in "abc"]
    backwards = [".".join(f"{letter}{n}" for n in reversed(range(9))) for letter in "abc"]
    assert identity(f"x-1.0-{'-'.join(tags)}.whl") == identity(f"x-1.0-{'-'.join(backwards)}.whl")

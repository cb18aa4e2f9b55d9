"""Pinned releases from every kind of lock file."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.markers import Marker

from pypid.cli.lock_files import Pin, read_pins
from pypid.errors import InvalidLockFile

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
FOO, BAR = Pin("foo-bar", "1.0", frozenset({A, B})), Pin("bar", "2.0rc1", frozenset({A}))


def read(name: str, text: str) -> list[Pin | str]:
    """Read one file."""
    return list(read_pins(name, files({name: text})))


def files(texts: dict[str, str]) -> Callable[[str], bytes]:
    """Return a function that loads these."""
    return lambda name: texts[name].encode()


def test_requirements() -> None:
    """As pip-compile and ``uv pip compile --generate-hashes`` write them."""
    text = f"""\ufeff# made by a tool
--index-url https://packages.example.org/simple/
-c constraints.txt
Foo_Bar==1.0 \\
    --hash={A} \\
    --hash={B}  # via x
bar[extra] == 2.0.rc1 --hash={A}
baz===3 ; python_version < "3.9"  # for old ones
--no-binary :all:
"""
    assert read("requirements.txt", text) == [
        FOO,
        BAR,
        Pin("baz", "3", marker=Marker('python_version < "3.9"')),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("foo", "foo is not pinned to one version with =="),
        ("foo>=1", "foo is not pinned to one version with =="),
        ("foo==1.*", "foo is not pinned to one version with =="),
        ("foo==1,==2", "foo is not pinned to one version with =="),
        ("foo @ https://example.org/foo-1.0.tar.gz", "foo comes from a URL, not from an index"),
        ("./foo", "not the requirement of a project by name"),
        ("https://example.org/foo-1.0.tar.gz", "not the requirement of a project by name"),
    ],
)
def test_what_is_not_pinned_is_told_with_its_line(entry: str, said: str) -> None:
    """And the rest goes on."""
    found = read("a/requirements.txt", f"\n{entry}\nbar==2.0rc1 --hash={A}\n")
    assert found == [f"a/requirements.txt, line 2: {said}", BAR]


@pytest.mark.parametrize(
    "option", ["-r other.txt", "-rother.txt", "--requirement other.txt", "--requirement=other.txt"]
)
def test_included_requirements(option: str) -> None:
    """Relative to the file that includes them; a circle ends."""
    texts = {"a/one.txt": f"{option}\nfoo==1\n", "a/other.txt": "-r one.txt\nbar==2\n"}
    assert list(read_pins("a/one.txt", files(texts))) == [Pin("bar", "2"), Pin("foo", "1")]


def test_pylock() -> None:
    text = f"""
lock-version = "1.0"
created-by = "a tool"
[[packages]]
name = "foo-bar"
version = "1.0"
marker = "python_version < '3.9'"
[packages.sdist]
name = "foo_bar-1.0.tar.gz"
url = "https://example.org/foo_bar-1.0.tar.gz"
hashes = {{ sha256 = "{"a" * 64}" }}
[[packages.wheels]]
name = "foo_bar-1.0-py3-none-any.whl"
url = "https://example.org/foo_bar-1.0-py3-none-any.whl"
hashes = {{ sha256 = "{"b" * 64}" }}
[[packages]]
name = "local"
directory = {{ path = "." }}
"""
    expected = Pin("foo-bar", "1.0", frozenset({A, B}), Marker("python_version < '3.9'"))
    for name in ("pylock.toml", "x/pylock.dev.toml"):
        assert read(name, text) == [expected]


def test_uv_lock() -> None:
    text = f"""
version = 1
requires-python = ">=3.8"
[[package]]
name = "foo-bar"
version = "1.0"
source = {{ registry = "https://packages.example.org/simple/" }}
sdist = {{ url = "https://example.org/foo_bar-1.0.tar.gz", hash = "{A}", size = 1 }}
wheels = [{{ url = "https://example.org/foo_bar-1.0-py3-none-any.whl", hash = "{B}", size = 1 }}]
[[package]]
name = "application"
version = "0"
source = {{ virtual = "." }}
[[package]]
name = "forked"
version = "1"
source = {{ git = "https://example.org/forked" }}
"""
    assert read("uv.lock", text) == [FOO]


def test_poetry_lock() -> None:
    text = f"""
[[package]]
name = "Foo.Bar"
version = "1.0"
files = [
    {{file = "foo_bar-1.0.tar.gz", hash = "{A}"}},
    {{file = "foo_bar-1.0-py3-none-any.whl", hash = "{B}"}},
]
[[package]]
name = "bar"
version = "2.0rc1"
files = [{{file = "bar-2.0rc1.tar.gz", hash = "{A}"}}]
[package.source]
type = "legacy"
url = "https://packages.example.org/simple/"
reference = "acme"
[[package]]
name = "forked"
version = "1"
[package.source]
type = "git"
url = "https://example.org/forked"
[metadata]
lock-version = "2.1"
"""
    assert read("poetry.lock", text) == [FOO, BAR]


def test_pipfile_lock() -> None:
    document = {
        "_meta": {},
        "default": {
            "foo-bar": {"hashes": [A, B], "version": "==1.0"},
            "local": {"path": ".", "editable": True},
        },
        "develop": {"bar": {"hashes": [A], "version": "==2.0rc1", "index": "acme"}},
    }
    assert read("Pipfile.lock", json.dumps(document)) == [FOO, BAR]


def test_entries_of_no_use_are_told() -> None:
    tables = ['name = "a b"\nversion = "1"', 'name = "foo"\nversion = "new"', 'name = "bar"']
    assert read("uv.lock", "".join(f"[[package]]\n{table}\n" for table in tables)) == [
        "'a b': not the name of a project",
        "foo: it has no version by PEP 440",
        "bar: it has no version by PEP 440",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "["),
        ("poetry.lock", "\0"),
        ("pylock.toml", "x = 1"),
        ("pylock.toml", "["),
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "[]"),
        ("Pipfile.lock", "[" * 100_000),
        ("pyproject.toml", ""),
        ("setup.py", ""),
    ],
)
def test_a_file_that_is_not_of_its_kind_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidLockFile, match=f"^{name}: not|^{name}: ") as raised:
        read(name, text)
    assert "\n" not in str(raised.value)


WORDS = st.sampled_from(["default", "develop", "version", "hashes", "name", "foo", "==1", ""])
ENTRIES = st.none() | st.integers() | WORDS | st.lists(WORDS, max_size=2)
SECTIONS = ENTRIES | st.dictionaries(WORDS, ENTRIES | st.dictionaries(WORDS, ENTRIES, max_size=3), max_size=3)


@example({"default": {"foo": {"version": "==1", "hashes": 1}}})
@given(st.dictionaries(WORDS, SECTIONS, max_size=3))
def test_whatever_a_pipfile_lock_holds_nothing_else_gets_out(document: object) -> None:
    assert all(isinstance(one, Pin | str) for one in read("Pipfile.lock", json.dumps(document)))


@given(st.sampled_from(["uv.lock", "pylock.toml", "requirements.txt"]), st.text(max_size=60))
def test_whatever_a_file_says_nothing_else_gets_out(name: str, text: str) -> None:
    try:
        found = read(name, text.replace("-r", ""))
    except InvalidLockFile:
        return
    assert all(isinstance(one, Pin | str) for one in found)

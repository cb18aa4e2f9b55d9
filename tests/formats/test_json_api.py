"""The JSON of projects and releases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.json_api import file_entry, newest_release, release_info, release_json
from pypid.model import File, Project
from pypid.names import ArchiveKind

URL = "https://index.example.org/"
WHEEL = File(
    filename="acme_lib-1.0+cpu-py2.py3-none-any.whl",
    version="1.0+cpu",
    kind=ArchiveKind.WHEEL,
    size=1234,
    hashes={"sha256": "ab" * 32},
    modified_ns=None,
    upload_time=datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=UTC),
    requires_python=">=3.8",
    core_metadata="cd" * 32,
    signed=True,
)
SDIST = evolve(
    WHEEL,
    filename="acme_lib-1.0+cpu.tar.gz",
    kind=ArchiveKind.SDIST,
    core_metadata=None,
    requires_python=None,
    signed=None,
)
PROJECT = Project("acme-lib", "Acme.Lib", (SDIST, WHEEL), serial=7)
METADATA = """\
Metadata-Version: 2.4
Name: Acme.Lib
Version: 1.0+cpu
Summary: häufig "gebraucht" <b>
Author: UNKNOWN
Author-email: Zoë <zoe@example.org>
License-Expression: MIT
License-File: LICENSE
Keywords: a,b
Platform: any
Platform: all
Classifier: Topic :: A
Classifier: Topic :: B
Requires-Dist: requests >=2
Requires-Dist: rich; extra == "cli"
Provides-Extra: cli
Project-URL: Source, https://example.org/a,b
Description-Content-Type: text/markdown

# Acme

Text: no header.
""".encode()


def document(project: Project, version: str | None = "1.0+cpu", metadata: bytes | None = None) -> Any:
    """Write the JSON of a project and read it again."""
    return json.loads(release_json(project, version, metadata, URL))


def of_versions(*versions: str) -> Project:
    """Make a project with a file for each version; a ``!`` at the end says that it is yanked."""
    files = tuple(
        evolve(
            SDIST, filename=f"a-{v.strip('!')}.tar.gz", version=v.strip("!"), yanked="" if "!" in v else None
        )
        for v in versions
    )
    return Project("a", "A", files)


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        (["1.0", "1.10", "1.9"], "1.10"),
        (["1.0", "2.0rc1", "2.0.dev1"], "1.0"),
        (["1.0", "1.0.post1"], "1.0.post1"),
        (["1.0", "2.0!"], "1.0"),
        (["1.0!", "2.0rc1"], "2.0rc1"),
        (["1.0!", "2.0!", "3.0rc1!"], "2.0!"),
        (["final", "0.1.dev1!"], "0.1.dev1"),
        (["final", "even-more-final"], "final"),
        (["1.0", "1.0.0"], "1.0.0"),
        ([], None),
    ],
)
def test_c174_newest_release(versions: list[str], newest: str | None) -> None:
    """The newest one that is final and not yanked, or the next best."""
    assert newest_release(of_versions(*versions)) == (newest.strip("!") if newest else None)


def test_c174_a_release_is_yanked_when_all_of_its_files_are() -> None:
    partly = Project("acme-lib", "acme-lib", (SDIST, evolve(WHEEL, yanked="broken wheel")))
    wholly = evolve(partly, files=tuple(evolve(file, yanked="bad") for file in partly.files))
    older = evolve(SDIST, filename="acme_lib-0.9.tar.gz", version="0.9")
    assert newest_release(evolve(partly, files=(older, *partly.files))) == "1.0+cpu"
    assert newest_release(evolve(wholly, files=(older, *wholly.files))) == "0.9"
    info = document(partly)["info"]
    assert (info["yanked"], info["yanked_reason"]) == (False, "broken wheel")
    info = document(wholly)["info"]
    assert (info["yanked"], info["yanked_reason"]) == (True, "bad")


def test_c173_a_file_of_which_it_is_not_known_has_no_signature() -> None:
    assert file_entry("acme-lib", SDIST, URL)["has_sig"] is False


def test_c173_a_file_has_all_that_mirrors_read() -> None:
    assert file_entry("acme-lib", WHEEL, URL) == {
        "comment_text": "",
        "core-metadata": {"sha256": "cd" * 32},
        "digests": {"sha256": "ab" * 32},
        "downloads": -1,
        "filename": "acme_lib-1.0+cpu-py2.py3-none-any.whl",
        "has_sig": True,
        "packagetype": "bdist_wheel",
        "python_version": "py2.py3",
        "requires_python": ">=3.8",
        "size": 1234,
        "upload_time": "2026-01-02T03:04:05",
        "upload_time_iso_8601": "2026-01-02T03:04:05.000600Z",
        "url": "https://index.example.org/packages/acme-lib/acme_lib-1.0+cpu-py2.py3-none-any.whl",
        "yanked": False,
        "yanked_reason": None,
    }


def test_c173_a_yanked_file_says_why_if_it_knows() -> None:
    for reason in ["", "broken"]:
        entry = file_entry("acme-lib", evolve(SDIST, yanked=reason), URL)
        assert (entry["yanked"], entry["yanked_reason"]) == (True, reason or None)
        assert entry["core-metadata"] is False


def test_c173_core_metadata_whose_digest_nobody_tells() -> None:
    assert file_entry("acme-lib", evolve(SDIST, core_metadata=True), URL)["core-metadata"] is True


@pytest.mark.parametrize(
    ("filename", "kind", "python"),
    [
        ("a-1.0-2-cp311-abi3-linux_x86_64.whl", ArchiveKind.WHEEL, "cp311"),
        ("a-1.0.zip", ArchiveKind.SDIST, "source"),
        ("a-1.0-py2.7.egg", ArchiveKind.EGG, "2.7"),
        ("a-1.0-py2.7-linux-x86_64.egg", ArchiveKind.EGG, "2.7"),
        ("a-1.0.egg", ArchiveKind.EGG, "any"),
        ("a-1.0.win32-py3.3.exe", ArchiveKind.INSTALLER, "3.3"),
        ("a-1.0.win32.msi", ArchiveKind.INSTALLER, "any"),
    ],
)
def test_which_pythons_a_file_is_for(filename: str, kind: ArchiveKind, python: str) -> None:
    """As the upload API's ``pyversion`` says it."""
    entry = file_entry("a", evolve(SDIST, filename=filename, kind=kind), URL)
    assert (entry["packagetype"], entry["python_version"]) == (kind.value, python)


def test_c173_releases_urls_and_serial() -> None:
    newer = evolve(SDIST, filename="acme_lib-2.0.tar.gz", version="2.0")
    whole = document(evolve(PROJECT, files=(SDIST, WHEEL, newer)))
    assert list(whole["releases"]) == ["1.0+cpu", "2.0"]
    assert [file["filename"] for file in whole["urls"]] == [SDIST.filename, WHEEL.filename]
    assert whole["urls"] == whole["releases"]["1.0+cpu"]
    assert whole["last_serial"] == 7


def test_c173_info_is_what_the_core_metadata_says() -> None:
    info = document(PROJECT, metadata=METADATA)["info"]
    assert info == {
        "author": "",
        "author_email": "Zoë <zoe@example.org>",
        "classifiers": ["Topic :: A", "Topic :: B"],
        "description": "# Acme\n\nText: no header.\n",
        "description_content_type": "text/markdown",
        "download_url": "",
        "dynamic": [],
        "home_page": "",
        "keywords": "a,b",
        "license": "",
        "license_expression": "MIT",
        "license_files": ["LICENSE"],
        "maintainer": "",
        "maintainer_email": "",
        "name": "Acme.Lib",
        "package_url": "https://index.example.org/simple/acme-lib/",
        "platform": "any,all",
        "project_url": "https://index.example.org/simple/acme-lib/",
        "project_urls": {"Source": "https://example.org/a,b"},
        "provides_extra": ["cli"],
        "release_url": "https://index.example.org/simple/acme-lib/",
        "requires_dist": ["requests >=2", 'rich; extra == "cli"'],
        "requires_python": ">=3.8",
        "summary": 'häufig "gebraucht" <b>',
        "version": "1.0+cpu",
        "yanked": False,
        "yanked_reason": None,
    }


def test_description_of_old_metadata_is_a_header_with_marked_lines() -> None:
    old = b"Metadata-Version: 1.1\nName: a\nVersion: 1\nDescription: One\n        two\n       |  three\n"
    assert release_info(PROJECT, "1.0+cpu", old, URL)["description"] == "One\ntwo\n  three"


def test_a_description_is_no_mail_of_several_parts() -> None:
    headers = b"Metadata-Version: 2.1\nName: a\nVersion: 1\nContent-Type: multipart/mixed; boundary=x\n"
    mail = headers + b"\n--x\n\na\n--x--"
    assert release_info(PROJECT, "1.0+cpu", mail, URL)["description"] == "--x\n\na\n--x--"


@pytest.mark.parametrize("unknown", [None, b"", b"\xff", b"Name: a\nName: b\n\n", b"x" * 2_000_001])
def test_what_is_unknown_is_empty(unknown: bytes | None) -> None:
    """Whether there is no core metadata or none that can be read, the keys are there."""
    info = document(PROJECT, metadata=unknown)["info"]
    assert (info["summary"], info["classifiers"], info["description"]) == ("", [], "")
    assert info.keys() == document(PROJECT, metadata=METADATA)["info"].keys()
    assert info["requires_python"] == ">=3.8"


def test_nothing_required_differs_from_nothing_known() -> None:
    bare = b"Metadata-Version: 2.1\nName: a\nVersion: 1\n"
    assert document(PROJECT, metadata=bare)["info"]["requires_dist"] == []
    assert document(PROJECT)["info"]["requires_dist"] is None


def test_a_project_without_files_is_told_of() -> None:
    """Mirrors have to hear that all was removed."""
    empty = document(Project("acme-lib", "acme-lib", (), serial=9), version=None)
    assert (empty["releases"], empty["urls"], empty["last_serial"]) == ({}, [], 9)
    assert (empty["info"]["name"], empty["info"]["version"]) == ("acme-lib", "")


@given(st.text(), st.text())
def test_whatever_is_in_the_metadata_comes_out_as_json(summary: str, description: str) -> None:
    text = f"Metadata-Version: 2.1\nName: a\nVersion: 1\nSummary: {summary}\n\n{description}"
    page = release_json(PROJECT, "1.0+cpu", text.encode("utf-8", "replace"), URL)
    assert json.loads(page.decode())["info"]["name"] == "Acme.Lib"


def test_a_reason_that_is_no_unicode_is_written_all_the_same() -> None:
    """A record on the disk may hold half of a surrogate pair."""
    page = release_json(evolve(PROJECT, files=(evolve(SDIST, yanked="\ud800"),)), "1.0+cpu", None, URL)
    assert json.loads(page.decode())["urls"][0]["yanked_reason"] == "?"


@pytest.mark.slow
def test_a_large_project_is_described_in_a_moment() -> None:
    """Each file is looked at a few times, not once for each other file."""
    files = tuple(
        evolve(SDIST, filename=f"a-{number // 2}.{number % 2}.tar.gz", version=str(number // 2))
        for number in range(20_000)
    )
    started = process_time()
    large = Project("a", "a", files)
    assert newest_release(large) == "9999"
    release_json(large, "9999", None, URL)
    assert process_time() - started < 4


def test_fault_c5_values_that_are_one_line() -> None:
    """What is folded in the metadata is one line in the JSON."""
    folded = METADATA.replace(b"Author: UNKNOWN", b"Author: Zo\xc3\xab\n and\n\tothers")
    folded = folded.replace(b"Source, https", b"Source,\n        https").replace(
        b"requests >=2", b"requests\n >=2"
    )
    info = document(PROJECT, metadata=folded)["info"]
    assert info["author"] == "Zoë and others"
    assert info["project_urls"] == {"Source": "https://example.org/a,b"}
    assert "requests >=2" in info["requires_dist"]
    assert info["description"] == "# Acme\n\nText: no header.\n"

"""Conformance, section C: pages as JSON."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from harness.conformance import JSON, LiveIndex, live_index
from harness.daemon import Daemon
from harness.http import ask
from harness.processes import reactor_time

from pypid.testing.builds import attestation, sdist, wheel

REQUIRES_PYTHON = ">=3.8, !=3.9.*,<4"
MANY_FILES, MANY_PROJECTS = 10_000, 50_000
BLOCKED = 0.12
"""The longest that the reactor's thread may work between two answers, in seconds of processor time."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with files of all kinds in one project, ``sample``."""
    with live_index(tmp_path_factory.mktemp("json")) as index:
        index.publish(*wheel("Sample", "1.0", requires_python=REQUIRES_PYTHON), "Sample")
        index.publish(*sdist("Sample", "1.0"), "Sample")
        index.publish(*wheel("sample", "1.1"))
        index.publish(*wheel("sample", "1.2"))
        index.publish(*wheel("sample", "2.0+cpu.1"))
        index.publish(*wheel("sample", "1!0.1"))
        index.drop("sample", "sample-3.0-beta2.zip", b"old and strange")
        index.drop("sample", "sample-3.1-py3-none-any.whl", b"no wheel at all")
        index.drop("sample", *wheel("sample", "3.2"))
        index.yank("sample", "1.1", reason="")
        index.yank("sample", "1.2", reason='breaks "everything" & more')
        yield index


@pytest.fixture
def files(index: LiveIndex) -> dict[str, dict[str, Any]]:
    """Return what the page says of each file of ``sample``, by name."""
    return {file["filename"]: file for file in index.json("sample")["files"]}


def test_c032_api_version(index: LiveIndex) -> None:
    """A page is an object whose `meta.api-version` is a string, 1 and a minor number."""
    for page in (index.json(), index.json("sample")):
        assert re.fullmatch(r"1\.\d+", page["meta"]["api-version"])


def test_c033_version_is_1_4(index: LiveIndex) -> None:
    """The version is 1.4, and no key of a later one is there."""
    for page in (index.json(), index.json("sample")):
        assert page["meta"]["api-version"] == "1.4"
        assert "namespace" not in json.dumps(page)


def test_c034_index_has_projects(index: LiveIndex) -> None:
    """The index has `projects`, each an object with a `name`."""
    assert {project["name"] for project in index.json()["projects"]} >= {"sample"}


def test_c035_serials(index: LiveIndex) -> None:
    """`_last-serial` is in `meta` and in every entry of the index, and the former is the largest."""
    page = index.json()
    serials = [project["_last-serial"] for project in page["projects"]]
    assert all(type(serial) is int and serial > 0 for serial in serials)
    assert page["meta"]["_last-serial"] >= max(serials)
    by_name = {project["name"]: project["_last-serial"] for project in page["projects"]}
    assert index.json("sample")["meta"]["_last-serial"] == by_name["sample"]


def test_c036_name_is_normalized(index: LiveIndex) -> None:
    """A project's page has its normalized name."""
    assert index.json("sample")["name"] == "sample"


def test_c037_versions_cover_the_files(index: LiveIndex) -> None:
    """`versions` are strings, each once, and every file's version is among them."""
    versions = index.json("sample")["versions"]
    assert len(versions) == len(set(versions))
    assert {"1.0", "1.1", "1.2", "2.0+cpu.1", "1!0.1", "3.1", "3.2"} <= set(versions)


def test_c038_versions_are_normalized(index: LiveIndex) -> None:
    """Versions are spelled as PEP 440 normalizes them."""
    versions = index.json("sample")["versions"]
    assert "3.0b2" in versions
    assert "3.0-beta2" not in versions


def test_c039_files_have_what_they_must(files: dict[str, dict[str, Any]]) -> None:
    """Every file has `filename`, `url`, `hashes` and `size`."""
    assert len(files) == 9
    assert all({"filename", "url", "hashes", "size"} <= set(file) for file in files.values())


def test_c040_hashes(files: dict[str, dict[str, Any]]) -> None:
    """`hashes` are lower-case names and digits, and SHA-256 is among them."""
    for file in files.values():
        assert re.fullmatch(r"[0-9a-f]{64}", file["hashes"]["sha256"])
        assert all(
            name == name.lower() and digest == digest.lower() for name, digest in file["hashes"].items()
        )


def test_c041_no_nulls(index: LiveIndex, files: dict[str, dict[str, Any]]) -> None:
    """What is not known is left out, never `null`: uv refuses the whole page."""
    for key in ("filename", "url", "hashes", "size", "upload-time", "yanked"):
        assert [name for name, file in files.items() if key in file and file[key] is None] == []
    assert "null" not in index.get("/simple/sample/", JSON).text


def test_c042_size_is_what_is_downloaded(index: LiveIndex, files: dict[str, dict[str, Any]]) -> None:
    """`size` is an integer, the length of the download."""
    for name, file in files.items():
        assert type(file["size"]) is int
        assert str(file["size"]) == index.get(index.path("sample", name)).headers["Content-Length"]


def test_c043_every_file_has_an_upload_time(files: dict[str, dict[str, Any]]) -> None:
    """`upload-time` is on every file, also on those that were copied in, in UTC with a `Z`."""
    assert all(file["upload-time"].endswith("Z") for file in files.values())


def test_c044_upload_time_has_six_digits_or_none(files: dict[str, dict[str, Any]]) -> None:
    """The fraction of `upload-time` has six digits, or there is none."""
    for file in files.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", file["upload-time"])


def test_c045_requires_python_letter_for_letter(files: dict[str, dict[str, Any]]) -> None:
    """`requires-python` is what the archive's metadata says, unescaped; otherwise it is left out."""
    assert files["sample-1.0-py3-none-any.whl"]["requires-python"] == REQUIRES_PYTHON
    assert files["sample-1.1-py3-none-any.whl"].get("requires-python") is None


def test_c046_yanked(files: dict[str, dict[str, Any]]) -> None:
    """`yanked` is a reason, or true where there is none, or false."""
    assert files["sample-1.0-py3-none-any.whl"]["yanked"] is False
    assert files["sample-1.1-py3-none-any.whl"]["yanked"] is True
    assert files["sample-1.2-py3-none-any.whl"]["yanked"] == 'breaks "everything" & more'


def test_c047_core_metadata_where_it_is_served(index: LiveIndex, files: dict[str, dict[str, Any]]) -> None:
    """`core-metadata` has the digest of the `.metadata` beside the file, exactly where there is one."""
    with_metadata = {name for name, file in files.items() if file.get("core-metadata")}
    assert with_metadata >= {"sample-1.0-py3-none-any.whl", "sample-3.2-py3-none-any.whl"}
    assert "sample-3.1-py3-none-any.whl" not in with_metadata
    for name, file in files.items():
        served = index.get(f"{index.path('sample', name)}.metadata")
        assert served.status == (200 if name in with_metadata else 404)
        if name in with_metadata:
            assert list(file["core-metadata"]) == ["sha256"]


def test_c048_no_old_name_of_it(index: LiveIndex) -> None:
    """JSON has no `dist-info-metadata`, on which pip 22.3 to 23.0 stumbles."""
    assert "dist-info-metadata" not in index.get("/simple/sample/", JSON).text


@pytest.mark.parametrize("page", ["/simple/sample/", "/simple/Sample", "/simple//SAMPLE/"])
def test_c050_urls_resolve_against_the_page(index: LiveIndex, page: str) -> None:
    """`url` resolves against the page that redirects lead to, and has no fragment."""
    for file in json.loads(index.follow(page, JSON).body)["files"]:
        assert "#" not in file["url"]
        assert index.get(urljoin("/simple/sample/", file["url"])).status == 200


def test_c051_urls_end_in_the_file_name(files: dict[str, dict[str, Any]]) -> None:
    """The last segment of `url`, decoded, is the file name, `+` and `!` included."""
    assert {"sample-2.0+cpu.1-py3-none-any.whl", "sample-1!0.1-py3-none-any.whl"} <= set(files)
    for name, file in files.items():
        assert unquote(urlsplit(file["url"]).path.rpartition("/")[2]) == name


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ((), None),
        (("--public-url", "http://packages.example.org/"), None),
        (("--public-url", "https://packages.example.org/index"), "https://packages.example.org/index/"),
    ],
    ids=["no public URL", "HTTP", "HTTPS"],
)
def test_c052_provenance(tmp_path: Path, options: tuple[str, ...], url: str | None) -> None:
    """`provenance` is left out, or an absolute HTTPS URL that answers: below `--public-url`."""
    with live_index(tmp_path, *options) as index:
        filename, content = wheel("attested", "1.0")
        attestations = json.dumps([attestation(filename, content)])
        assert index.upload(filename, content, attestations=attestations).status == 200
        index.publish_wheel("attested", "1.1")
        path = f"packages/attested/{filename}.provenance"
        assert index.entry("attested", filename).get("provenance") == (f"{url}{path}" if url else None)
        assert index.get(f"/{path}").status == 200
        assert "provenance" not in index.entry("attested", "attested-1.1-py3-none-any.whl")


def test_c053_project_status(index: LiveIndex) -> None:
    """`project-status` is an object at the top, with `status` and `reason`."""
    index.publish_wheel("finished")
    index.set_status("finished", "archived", reason="complete & done")
    page = index.json("finished")
    assert page["project-status"] == {"status": "archived", "reason": "complete & done"}
    assert not {"project-status", "status", "state"} & set(page["meta"])


def test_c054_other_keys_are_private(index: LiveIndex) -> None:
    """Every key is one of the standard's, or begins with `_`: there is room for what comes."""
    standard = {
        *("meta", "api-version", "projects", "name", "versions", "files", "project-status"),
        *("filename", "url", "hashes", "size", "upload-time", "requires-python", "yanked", "core-metadata"),
        *("sha256", "gpg-sig", "provenance"),
    }

    def keys(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from keys(each)

    for page in (index.json(), index.json("sample")):
        assert {key for key in keys(page) if not key.startswith("_")} <= standard


def test_c055_nothing_rejected(index: LiveIndex) -> None:
    """`alternate-locations` and `tracks`, whose proposal was rejected, are not there."""
    for path in ("/simple/", "/simple/sample/"):
        said = index.get(path, JSON).text
        assert "alternate-locations" not in said
        assert "tracks" not in said


@pytest.mark.timeout(900)
def test_c056_big_pages_hold_nobody_up(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """While a page of 10,000 files or an index of 50,000 projects is made, others are answered."""
    simple = tmp_path / "big" / "simple"
    (simple / "big").mkdir(parents=True)
    for number in range(MANY_FILES):
        (simple / "big" / f"big-1.{number}.zip").touch()
    for number in range(MANY_PROJECTS):
        (simple / f"project-{number}").mkdir()
        (simple / f"project-{number}" / ".pypid.json").write_text('{"status": "active"}')
    started = daemon("--upstream", "none", root=tmp_path / "big")
    got: dict[str, Any] = {}

    def get_pages() -> None:
        accept = {"Accept": JSON}
        got["files"] = json.loads(ask(f"{started.simple}big/", headers=accept, patience=600).body)["files"]
        got["projects"] = json.loads(ask(started.simple, headers=accept, patience=600).body)["projects"]

    thread = threading.Thread(target=get_pages)
    thread.start()
    stretches, worked = [], reactor_time(started.pid)
    while thread.is_alive():
        assert ask(f"{started.url}+health").status == 200
        before, worked = worked, reactor_time(started.pid)
        stretches.append(worked - before)
        thread.join(0.01)
    shutil.rmtree(simple, ignore_errors=True)
    assert len(got["files"]) == MANY_FILES
    assert len(got["projects"]) == MANY_PROJECTS + 1
    assert max(stretches) < BLOCKED

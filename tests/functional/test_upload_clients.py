"""Every client uploads its project as in the guide for users: once, again, and with other bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from harness.conformance import LiveIndex, live_index
from harness.guide import USER, blocks
from harness.tools import Toolbox
from harness.uploaders import CLIENTS, Workplace

OLD = ["setuptools-2.7", "setuptools-3.6"]

Employ = Callable[[str], Workplace]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    """Yield an index with the user of the guide."""
    with live_index(tmp_path, users=[USER]) as index:
        yield index


@pytest.fixture
def employ(index: LiveIndex, tmp_path: Path, pip_python: Path) -> Employ:
    """Return a function that gives a client, with a project that it has built."""

    def employ(name: str) -> Workplace:
        place = Workplace(CLIENTS[name], index.daemon.url, tmp_path, Toolbox(pip_python))
        place.build("first")
        return place

    return employ


def published(index: LiveIndex) -> dict[str, str]:
    """Return the digests of the files that are on the project's page."""
    if index.get("/simple/sample/").status == 404:
        return {}
    return {file["filename"]: file["hashes"]["sha256"] for file in index.json("sample")["files"]}


def built(place: Workplace) -> dict[str, str]:
    """Return the digests of the files that a client has built; PDM and others leave more than these."""
    files = [*place.project.glob("dist/*.whl"), *place.project.glob("dist/*.tar.gz")]
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("name", CLIENTS)
def test_client(index: LiveIndex, employ: Employ, name: str) -> None:
    """A wrong password is told, an upload may be repeated, and other bytes are refused in clear words."""
    place = employ(name)
    client = place.client

    status, said = place.upload(password="mistaken")
    assert (status, client.wrong[1] in said) == (client.wrong[0], True), said
    assert published(index) == {}

    status, said = place.upload()
    assert status == 0, said
    files = built(place)
    if client.section == "curl":
        del files["sample-1.0-py3-none-any.whl"]
    assert published(index) == files

    status, said = place.upload()
    assert (status, "error" in said.lower()) == (0, False), said
    assert published(index) == files

    place.build("other")
    status, said = place.upload()
    assert (status, client.refused[1] in said) == (client.refused[0], True), said
    assert built(place).keys() >= files.keys()
    assert not built(place).items() <= files.items()
    assert published(index) == files

    if client.skips:
        status, said = place.upload("--skip-existing")
        assert status == 0, said
        assert published(index) == files


def test_pdm_keeps_what_was_said_in_its_log(employ: Employ) -> None:
    """Where PDM shows no more than the status, its log has the message."""
    place = employ("pdm")
    _, said = place.upload(password="mistaken")
    log = next(Path(word) for word in said.split() if word.endswith(".log"))
    assert "the user name or password is wrong" in log.read_text()


def test_twine_of_today_skips_for_pypi_alone(employ: Employ) -> None:
    """It says so before it sends anything."""
    status, said = employ("twine").upload("--skip-existing")
    assert status == 1
    assert "--skip-existing" in said


@pytest.mark.parametrize("block", ["upload", "upload-checked"])
def test_uv_sends_only_what_is_missing(index: LiveIndex, employ: Employ, block: str) -> None:
    """C153: uv compares with the pages first, be their address in the project or on the command line."""
    place = employ("uv")
    del place.environment["UV_NO_CONFIG"]
    command = blocks("uv", index.daemon.url)[block]
    files = built(place)
    sdist = place.project / "dist" / "sample-1.0.tar.gz"
    sdist.rename(place.project / sdist.name)
    assert place.run(command)[0] == 0
    (place.project / sdist.name).rename(sdist)
    for sent in ([sdist.name], []):
        status, said = place.run(command)
        assert status == 0, said
        assert [name for name in files if f"Uploading {name}" in said] == sent
        assert published(index) == files
    place.build("other")
    status, said = place.run(command)
    assert (status, "do not match" in said, "Uploading" in said) == (2, True, False), said


@pytest.mark.parametrize("name", OLD)
def test_setup_py_register(employ: Employ, name: str) -> None:
    """C140: it sends no password before it is asked for one, and then goes on to upload."""
    place = employ(name)
    status, said = place.run("python setup.py register -r ours sdist upload -r ours")
    assert status == 0
    assert said.count("Server response (200): OK") == 2, said
    status, said = place.run("python setup.py --dry-run register -r ours")
    assert (status, "Server response (401)" in said) == (0, True), said


@pytest.mark.parametrize("name", OLD)
def test_setup_py_list_classifiers(employ: Employ, name: str) -> None:
    """C140: the list is the whole one."""
    status, said = employ(name).run("python setup.py register -r ours --list-classifiers")
    assert status == 0
    assert "Framework :: Twisted" in said
    assert said.count(" :: ") > 800


@pytest.mark.parametrize("name", OLD)
def test_setup_py_upload_docs(employ: Employ, name: str) -> None:
    """C140: it hears that documentation is not taken, and goes on."""
    place = employ(name)
    (place.project / "docs").mkdir()
    (place.project / "docs" / "index.html").write_text("<h1>Sample</h1>\n")
    status, said = place.run("python setup.py upload_docs -r ours --upload-dir docs sdist upload -r ours")
    assert status == 0, said
    assert "Upload failed (410): documentation is not hosted here" in said
    assert "Server response (200): OK" in said

"""Conformance, section E: yanked releases, and the status of projects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.conformance import HTML, JSON, LiveIndex, Published, live_index

from pypid.testing.builds import wheel


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index; every test makes a project of its own."""
    with live_index(tmp_path_factory.mktemp("status")) as index:
        yield index


def statuses(index: LiveIndex, file: Published) -> tuple[int, int, int]:
    """Return the statuses of a file's page, its download, and an upload of another version."""
    page, download = index.get(f"/simple/{file.project}/", JSON), index.get(file.path)
    return page.status, download.status, index.upload(*wheel(file.project, "2.0")).status


def test_c073_yanks_show_at_once(index: LiveIndex) -> None:
    """A yank and its end show on the next page, and the file stays to be had."""
    file = index.publish_wheel("regretted")
    index.json("regretted"), index.html("regretted")
    index.yank("regretted", "1.0", reason="too early")
    assert index.entry("regretted", file.filename)["yanked"] == "too early"
    assert index.html("regretted").link(file.filename)["data-yanked"] == "too early"
    assert index.get(file.path).body == file.content
    assert index.get(f"{file.path}.metadata").status == 200
    index.unyank("regretted", "1.0")
    assert index.entry("regretted", file.filename)["yanked"] is False
    assert "data-yanked" not in index.html("regretted").link(file.filename)


def test_c075_archived(index: LiveIndex) -> None:
    """An archived project takes no uploads, with a 403; downloads go on."""
    file = index.publish_wheel("archived")
    index.set_status("archived", "archived")
    assert statuses(index, file) == (200, 200, 403)
    assert index.json("archived")["versions"] == ["1.0"]


def test_c076_quarantined(index: LiveIndex) -> None:
    """A quarantined project offers nothing and takes nothing; its page is there, and empty."""
    file = index.publish_wheel("quarantined")
    index.json("quarantined")
    index.set_status("quarantined", "quarantined", reason="malware")
    assert statuses(index, file) == (200, 404, 403)
    assert index.json("quarantined")["files"] == []
    assert index.html("quarantined").links == []
    assert file.filename not in index.get("/simple/quarantined/", HTML).text
    for path in (file.path, f"{file.path}.metadata", file.path.replace("/packages/", "/simple/", 1)):
        for method in ("GET", "HEAD"):
            assert index.request(method, path, {"Range": "bytes=0-9"}).status == 404
    index.set_status("quarantined", "active")
    assert statuses(index, file) == (200, 200, 200)


@pytest.mark.parametrize("status", ["deprecated", "active"])
def test_c077_deprecated_and_active(index: LiveIndex, status: str) -> None:
    """Deprecated and active projects are uploaded to and downloaded from."""
    file = index.publish_wheel(f"is-{status}")
    index.set_status(f"is-{status}", status)
    assert statuses(index, file) == (200, 200, 200)


def test_c078_without_a_status_a_project_is_active(index: LiveIndex) -> None:
    """A project that was given no status reads as active."""
    index.publish_wheel("plain")
    assert index.json("plain").get("project-status", {"status": "active"})["status"] == "active"

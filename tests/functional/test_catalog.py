"""The catalog may be deleted, and a copy of the tree is a whole backup."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import pytest
from harness.conformance import JSON, LiveIndex, live_index
from harness.daemon import Daemon
from harness.http import ask
from harness.processes import wait_until

NAMES = [f"project-{number}" for number in range(12)]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    """Yield an index with some projects, one yanked, one archived, one with a removed file."""
    with live_index(tmp_path) as index:
        for name in reversed(NAMES):
            index.publish_wheel(name)
        index.publish_wheel(NAMES[2], "2.0")
        index.yank(NAMES[0], "1.0", reason="broken")
        index.set_status(NAMES[1], "archived")
        assert index.request("DELETE", f"/project/{NAMES[2]}/1.0/", index.credentials).status == 200
        yield index


def without_serial(page: dict[str, Any]) -> dict[str, Any]:
    """Return a page without what a new journal numbers anew."""
    return page | {"meta": {"api-version": page["meta"]["api-version"]}}


def pages(url: str) -> dict[str, dict[str, Any]]:
    """Return all project pages of a daemon."""
    return {
        name: without_serial(json.loads(ask(f"{url}simple/{name}/", headers={"Accept": JSON}).body))
        for name in NAMES
    }


def in_order(url: str) -> list[str]:
    """Return the names of all projects in the order of their serials."""
    serials: Any = ServerProxy(f"{url}pypi").list_packages_with_serial()
    return sorted(serials, key=lambda name: serials[name])


def test_the_catalog_is_deleted_under_load(index: LiveIndex) -> None:
    """Pages stay right, nothing fails, uploads go on, and serials do not fall back."""
    right, url = pages(index.daemon.url), index.daemon.url
    last = ServerProxy(f"{url}pypi").changelog_last_serial()
    wrong: list[object] = []
    asked, done = threading.Semaphore(0), threading.Event()

    def load() -> None:
        while not done.is_set():
            for name in NAMES:
                answer = ask(f"{url}simple/{name}/", headers={"Accept": JSON, "Cache-Control": "no-cache"})
                if answer.status != 200 or without_serial(json.loads(answer.body)) != right[name]:
                    wrong.append((name, answer))
            asked.release()

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            for catalog in (index.daemon.root / ".pypid").glob("catalog.sqlite*"):
                catalog.unlink()
            index.publish_wheel("new", f"1.{number}")
            for _ in range(6):
                assert asked.acquire(timeout=60)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(index.json("new")["files"]) == 5
    assert (index.daemon.root / ".pypid" / "catalog.sqlite").exists()
    assert ServerProxy(f"{url}pypi").changelog_last_serial() > last
    assert "Traceback" not in index.daemon.log_text()


def test_a_copy_of_the_tree_is_a_whole_backup(index: LiveIndex, tmp_path: Path) -> None:
    """Another daemon on a copy has the same pages, yanks, statuses and order, and the same tombstones."""
    copy = tmp_path / "restored"
    shutil.copytree(index.simple_directory, copy / "simple")
    restored = Daemon(copy, index.daemon.arguments).start()
    try:
        assert pages(restored.url) == pages(index.daemon.url)
        (yanked,) = pages(restored.url)[NAMES[0]]["files"]
        assert yanked["yanked"] == "broken"
        assert pages(restored.url)[NAMES[1]]["project-status"]["status"] == "archived"
        published = [name for name in in_order(index.daemon.url) if name not in NAMES[:3]]
        wait_until(lambda: len(in_order(restored.url)) == len(NAMES), "the journal of the copy")
        assert [name for name in in_order(restored.url) if name not in NAMES[:3]] == published
    finally:
        restored.stop()

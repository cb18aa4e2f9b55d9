"""bandersnatch, old and new, mirrors all of an index, and later only the changes; pip searches one."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from attrs import define, frozen
from harness.clients import Clients, client_environment
from harness.conformance import LiveIndex, Published, live_index
from harness.daemon import daemon_environment
from harness.processes import run, script, wait_until
from harness.tools import Toolbox, find_python

from pypid.testing.builds import sdist, wheel

CONFIGURATION = """\
[mirror]
directory = {directory}
master = {master}
allow-non-https = true
stop-on-error = true
simple-format = ALL
timeout = 10
workers = 2
verifiers = 1
hash-index = false
{options}
"""
GENERATIONS = {
    "6-by-xml-rpc": ("6.8.0", None, ""),
    "6-by-simple-pages": ("6.8.0", None, "api-method = simple"),
    # This one needs a Python of its own where the tests run on an older one.
    "8": ("8.0.0", "3.13", ""),
}
LOGGED = re.compile(r'"(GET|POST) (\S+) HTTP/1\.1" (\d+)')


@frozen
class Mirrors(Toolbox):
    """The tools that mirror."""

    def bandersnatch(self, version: str, python: Path) -> Path:
        """Return the command of a version, installed for an interpreter."""

        def make(directory: Path) -> None:
            run([python, "-m", "venv", "--without-pip", directory])
            self._pip("--python", directory / "bin" / "python", "install", f"bandersnatch=={version}")

        return self._made(f"bandersnatch-{version}-{python.name}", make) / "bin" / "bandersnatch"


@define
class Mirror:
    """A mirror of an index, made by bandersnatch."""

    index: LiveIndex
    """What it mirrors."""
    command: Path
    """The bandersnatch to run."""
    directory: Path
    """Where it keeps what it keeps."""
    options: str
    """More lines for its configuration."""

    def update(self) -> list[str]:
        """Mirror, and return what was asked for: ``METHOD path``, sorted."""
        self.directory.mkdir(exist_ok=True)
        master = self.index.daemon.url.removesuffix("/")
        configuration = self.directory / "bandersnatch.conf"
        configuration.write_text(
            CONFIGURATION.format(directory=self.directory / "tree", master=master, options=self.options)
        )
        before = self._logged()
        said = run(
            [self.command, "-c", configuration, "mirror"], environment=client_environment(self.directory)
        )
        assert "ERROR" not in said, said
        after = self._logged()
        requests = LOGGED.findall(self.index.daemon.log_text()[before:after])
        assert all(int(status) < 400 for _, _, status in requests), requests
        return sorted(f"{method} {path}" for method, path, _ in requests)

    def _logged(self) -> int:
        """Return the length of the log once all that was asked for so far is in it."""
        mark = f"/+health?{uuid4()}"
        assert self.index.get(mark).status == 200
        wait_until(lambda: mark in self.index.daemon.log_text(), "the line in the access log")
        return self.index.daemon.log_text().index(mark)

    @property
    def serial(self) -> int:
        """The serial that it is at."""
        return int((self.directory / "tree" / "status").read_text())

    def page(self, project: str) -> dict[str, dict[str, Any]]:
        """Return the files on its page of a project, by name."""
        page = json.loads((self.directory / "tree/web/simple" / project / "index.v1_json").read_text())
        return {file["filename"]: file for file in page["files"]}

    def check(self, *published: Published) -> None:
        """Check that these files, and no others, are there as they were published."""
        web = self.directory / "tree" / "web"
        found = {path for path in web.glob("packages/**/*") if path.is_file()}
        assert {path for path in found if path.suffix != ".metadata"} == {
            web / one.path[1:] for one in published
        }
        for one in published:
            assert (web / one.path[1:]).read_bytes() == one.content
        for path in found:
            if path.suffix == ".metadata":
                assert path.read_bytes() == self.index.get(f"/{path.relative_to(web)}").body


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    """Yield an index of nothing."""
    with live_index(tmp_path) as index:
        yield index


@pytest.fixture(params=GENERATIONS)
def mirror(request: pytest.FixtureRequest, index: LiveIndex, pip_python: Path, tmp_path: Path) -> Mirror:
    """Return a mirror of the index, by each generation of bandersnatch."""
    version, needed, options = GENERATIONS[request.param]
    python = find_python(needed) if needed and sys.version_info < (3, 12) else Path(sys.executable)
    return Mirror(index, Mirrors(pip_python).bandersnatch(version, python), tmp_path / "mirror", options)


def test_bandersnatch_mirrors_all_and_then_only_the_change(mirror: Mirror, index: LiveIndex) -> None:
    published = [
        index.publish(*wheel("Acme.Lib", "1.0", requires_python=">=3.8"), "Acme.Lib"),
        index.publish(*sdist("acme.lib", "1.0"), "Acme.Lib"),
        index.publish(*wheel("hammer", "1.0", payload=bytes(range(256)) * 1000)),
        index.publish(*wheel("hammer", "2.0rc1")),
        index.publish(*sdist("nail", "1.0")),
    ]
    index.yank("hammer", "2.0rc1", reason="bent")

    requests = mirror.update()
    mirror.check(*published)
    assert {f"GET /pypi/{name}/json" for name in ("acme-lib", "hammer", "nail")} <= set(requests)
    assert mirror.page("acme-lib")[published[0].filename]["requires-python"] == ">=3.8"
    assert mirror.page("hammer")["hammer-2.0rc1-py3-none-any.whl"]["yanked"] is True
    serial = mirror.serial

    news = {"GET /simple", "GET /simple/", "POST /pypi"}
    assert set(mirror.update()) <= news
    assert mirror.serial == serial

    published.append(index.publish(*wheel("hammer", "1.1")))
    requests = mirror.update()
    mirror.check(*published)
    changed = [one for one in requests if one not in news and not one.endswith(".metadata")]
    assert changed == ["GET /packages/hammer/hammer-1.1-py3-none-any.whl", "GET /pypi/hammer/json"]
    assert mirror.serial > serial


def test_bandersnatch_hears_of_changes_that_are_no_files(mirror: Mirror, index: LiveIndex) -> None:
    """Yanks and quarantines reach a mirror's pages as well."""
    hammer = index.publish(*wheel("hammer", "1.0"))
    nail = index.publish(*wheel("nail", "1.0"))
    mirror.update()
    assert mirror.page("hammer")[hammer.filename]["yanked"] is False
    index.yank("hammer", "1.0", reason="bent")
    index.set_status("nail", "quarantined", reason="rusty")
    mirror.update()
    assert mirror.page("hammer")[hammer.filename]["yanked"] is True
    assert nail.filename not in mirror.page("nail")


def test_fault_a11_bandersnatch_mirrors_what_the_command_did(mirror: Mirror, index: LiveIndex) -> None:
    """Its very next run has it, though the daemon was asked for nothing in between."""
    hammer = index.publish(*wheel("hammer", "1.0"))
    nail = index.publish(*wheel("nail", "1.0"))
    saw = index.publish(*wheel("saw", "1.0"))
    mirror.update()
    assert mirror.page("hammer")[hammer.filename]["yanked"] is False
    for words in (
        ("yank", "hammer", "1.0", "--reason", "bent"),
        ("status", "nail", "quarantined"),
        ("remove", "saw", "1.0", "--yes"),
    ):
        run([script("pypid"), "--root", index.daemon.root, *words], environment=daemon_environment())
    mirror.update()
    assert mirror.page("hammer")[hammer.filename]["yanked"] is True
    assert nail.filename not in mirror.page("nail")
    assert saw.filename not in mirror.page("saw")


def test_c175_pip_searches(index: LiveIndex, clients: Clients) -> None:
    """By names and by summaries."""
    index.publish(*wheel("Acme.Lib", "1.0"), "Acme.Lib")
    index.publish(*wheel("hammer", "1.0"))
    url = f"{index.daemon.url}pypi"
    said = clients.pip("search", "--index", url, "acme")
    assert re.search(r"^Acme\.Lib \(1\.0\) +- made for a test$", said, re.MULTILINE)
    assert "hammer (1.0)" in clients.pip("search", "--index", url, "test")
    clients.pip("search", "--index", url, "saw", status=None)

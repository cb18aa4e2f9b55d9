"""Conformance of what comes from another index: C74 and C106."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness.clients import Clients
from harness.daemon import Daemon
from harness.http import ask
from harness.processes import run, wait_until
from harness.scripted import ScriptedIndex
from harness.upstream import RealIndex

from pypid.testing.builds import wheel

Proxied = Callable[..., Daemon]
JSON = "application/vnd.pypi.simple.v1+json"


def test_c074_yanks_come_through(proxied: Proxied, scripted: ScriptedIndex, clients: Clients) -> None:
    """What comes from another index says which of its files are yanked, and why."""
    scripted.offer("foo", *wheel("foo", "1.0"))
    scripted.offer("foo", *wheel("foo", "2.0"), yanked="it burns")
    started = proxied()
    page = json.loads(ask(f"{started.simple}foo/", headers={"Accept": JSON}).body)
    assert [file["yanked"] for file in page["files"]] == [False, "it burns"]
    assert 'data-yanked="it burns"' in ask(f"{started.simple}foo/").text
    assert clients.pip_install(started.simple, "foo").version("foo") == "1.0"
    assert clients.uv_install(started.simple, "foo==2.0").version("foo") == "2.0"


def test_c106_no_cache_asks_anew(proxied: Proxied, scripted: ScriptedIndex, clients: Clients) -> None:
    """A request with `Cache-Control: no-cache` goes past what is cached of other indexes.

    As that of `uv --refresh` does; what pip before 26.2 sends with each request, ``max-age=0``, does not.
    """
    filename, content = wheel("foo", "1.0")
    scripted.offer("foo", filename, content)
    started = proxied()
    assert clients.uv_install(started.simple, "foo").version("foo") == "1.0"
    scripted.offer("foo", *wheel("foo", "2.0"))
    assert clients.pip_install(started.simple, "foo").version("foo") == "1.0"
    assert ask(f"{started.simple}foo/", headers={"Cache-Control": "max-age=0"}).text.count("<a ") == 1

    def refreshed() -> bool:
        headers = {"Cache-Control": "no-cache"}
        return ask(f"{started.simple}foo/", headers=headers).text.count("<a ") == 2

    wait_until(refreshed, "a page that is not as it was a moment ago")
    assert clients.uv_install(started.simple, "foo", options=("--refresh",)).version("foo") == "2.0"


def test_fault_d4_pip_refreshes_when_its_user_asked_for_it(
    proxied: Proxied, scripted: ScriptedIndex, real_index: RealIndex, clients: Clients
) -> None:
    """``pip install --refresh-package`` of a pip that has it goes past what is kept; plain pip does not."""
    options = ("--index-url", real_index.url, "--only-binary=:all:", "--no-deps", "--dest", clients.home)
    clients.environment |= real_index.environment
    clients.pip("download", *options, "pip>=26.2")
    (newer,) = clients.home.glob("pip-*.whl")
    scripted.offer("foo", *wheel("foo", "1.0"))
    started = proxied()

    def chosen(*options: str) -> str:
        command = [clients.pip_python, newer / "pip", "install", "--dry-run", "--no-deps", "--report", "-"]
        options = ("--quiet", "--ignore-installed", "--index-url", started.simple, *options)
        report = run([*command, *options, "foo"], environment=clients.environment, directory=clients.home)
        return str(json.loads(report)["install"][0]["metadata"]["version"])

    assert chosen() == "1.0"
    scripted.offer("foo", *wheel("foo", "2.0"))
    wait_until(lambda: chosen("--refresh-package", "foo") == "2.0", "a page that is asked for anew")
    scripted.offer("foo", *wheel("foo", "3.0"))
    assert chosen() == "2.0"

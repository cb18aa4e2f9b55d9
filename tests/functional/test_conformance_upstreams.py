"""Conformance of upstream files: C74 and C106."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness.clients import Clients
from harness.daemon import Daemon
from harness.http import ask
from harness.processes import wait_until
from harness.scripted import ScriptedIndex

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

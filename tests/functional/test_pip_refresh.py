"""Pages that are fetched anew on the wish of a user of a real pip."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness.clients import Clients
from harness.daemon import Daemon
from harness.processes import run, wait_until
from harness.scripted import ScriptedIndex
from harness.upstream import RealIndex

from pypid.testing.builds import wheel

Proxied = Callable[..., Daemon]


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

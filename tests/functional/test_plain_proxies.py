"""Apache and nginx with the files of ``etc/`` for an inner network, without TLS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness.archives import make_wheel
from harness.clients import Clients
from harness.daemon import Daemon
from harness.http import ask
from harness.proxies import Proxy


@pytest.mark.parametrize("kind", ["apache", "nginx"])
def test_fault_f8_twine_uploads_and_pip_installs(
    kind: str,
    daemon: Callable[..., Daemon],
    clients: Clients,
    users_file: Path,
    user: tuple[str, str],
    tmp_path: Path,
) -> None:
    """A local version and three megabytes pass, and links lead to the proxy."""
    proxy = Proxy(kind, tmp_path, "", plain=True)
    options = ("--public-url", proxy.url, "--auth", f"htpasswd:{users_file}", "--upstream", "none")
    started = daemon(*options)
    try:
        proxy.start(started.port)
        wheel = make_wheel(tmp_path, "sample", "1.0+local.1", payload=bytes(3 << 20))
        clients.twine_upload(proxy.url, user, wheel)
        assert clients.pip_install(f"{proxy.url}simple/", "sample").version("sample") == "1.0+local.1"
        assert f"twine upload --repository-url {proxy.url}legacy/" in ask(proxy.url).text
    finally:
        proxy.stop()

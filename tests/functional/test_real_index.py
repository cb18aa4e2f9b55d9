"""Real applications from the index that this machine uses, through pypid, and then without that index."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence

import pytest
from harness.clients import Clients
from harness.daemon import Daemon
from harness.upstream import RealIndex

from pypid.daemon.config import DEFAULT_UPSTREAM_URL

APPLICATIONS = {"web": ("Django", "djangorestframework", "celery")}
# A hundred megabytes, which not every run is to fetch.
if os.environ.get("LARGE_WHEELS"):
    APPLICATIONS["numbers"] = ("numpy", "scipy", "pandas")


def locked(clients: Clients, simple: str, requirements: Sequence[str]) -> str:
    """Resolve with uv, and return all versions, each with the digests of all its files."""
    wanted = clients.home / "requirements.in"
    wanted.write_text("\n".join(requirements))
    options = ("--quiet", "--generate-hashes", "--no-header", "--no-annotate", "--no-cache")
    return clients.uv("pip", "compile", *options, "--default-index", simple, wanted)


def reported(clients: Clients, simple: str, requirements: Sequence[str]) -> dict[str, tuple[str, object]]:
    """Install with pip into a fresh environment; return the version and the digests of each that it chose."""
    report = clients.home / "report.json"
    clients.pip_install(simple, *requirements, options=("--quiet", "--report", str(report)))
    installed = json.loads(report.read_text())["install"]
    return {
        one["metadata"]["name"]: (one["metadata"]["version"], one["download_info"]["archive_info"]["hashes"])
        for one in installed
    }


def frozen(clients: Clients, simple: str, requirements: Sequence[str]) -> str:
    """Install with uv into a fresh environment, with nothing cached; list what is there then."""
    shutil.rmtree(clients.home / "uv-cache", ignore_errors=True)
    installed = clients.uv_install(simple, *requirements)
    return clients.uv("pip", "freeze", "--quiet", "--python", installed.python)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_an_application_installs_also_without_its_upstream(
    application: str,
    daemon: Callable[..., Daemon],
    real_index: RealIndex,
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Versions and digests are those of the index itself, through a cold cache and from that alone."""
    certificates = real_index.environment.get("PIP_CERT")
    if certificates and "SSL_CERT_FILE" not in os.environ:
        monkeypatch.setenv("SSL_CERT_FILE", certificates)
    requirements = APPLICATIONS[application]
    clients.environment |= real_index.environment
    straight = locked(clients, real_index.url, requirements)
    url = real_index.url.rstrip("/") + "/"
    online = daemon(*() if url == DEFAULT_UPSTREAM_URL else ("--upstream", f"proxy:{url}"))
    installed = frozen(clients, online.simple, requirements)
    chosen = reported(clients, online.simple, requirements)
    assert locked(clients, online.simple, requirements) == straight
    for line in installed.splitlines():
        assert f"{line} \\\n" in straight
    for name, (version, hashes) in chosen.items():
        assert isinstance(hashes, dict)
        assert f"{name.lower().replace('_', '-')}=={version} \\\n" in straight.lower()
        assert f"sha256:{hashes['sha256']}" in straight
    assert "Failed" not in online.log_text()
    online.stop()
    offline = daemon("--upstream", f"proxy:{url}:offline", root=online.root)
    assert frozen(clients, offline.simple, requirements) == installed
    assert reported(clients, offline.simple, requirements) == chosen

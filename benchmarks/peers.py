"""The peers, and pypid as it was: installed in environments of their own, and started like pypid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from benchmarks import servers
from benchmarks.servers import Server

__all__ = ["devpi", "older_pypid", "proxpi", "pypiserver", "versions"]

_REQUIREMENTS = {
    "pypiserver": ["pypiserver[cache]", "gunicorn"],
    "devpi": ["devpi-server"],
    "proxpi": ["proxpi", "gunicorn"],
}
THREADS = 16
"""The threads of proxpi's one worker: as many as there are connections."""


def pypiserver(cache: Path, packages: Path, *more: str) -> Server:
    """Serve a flat directory of files with pypiserver's cached backend under gunicorn."""
    programs = _peer(cache, "pypiserver")
    command = [f"{programs}/pypi-server", "run", "-i", "127.0.0.1", "-p", "{port}", "--disable-fallback"]
    options = ["--server", "gunicorn", "--backend", "cached-dir", "--hash-algo", "sha256"]
    return Server("pypiserver", [*command, *options, *more, packages])


def devpi(cache: Path, directory: Path) -> Server:
    """Serve an empty devpi index, to which ``root`` may upload without a password."""
    programs = _peer(cache, "devpi")
    options = ["--serverdir", str(directory)]
    subprocess.run(
        [f"{programs}/devpi-init", *options, "--no-root-pypi"], check=True, stdout=subprocess.DEVNULL
    )
    command = [f"{programs}/devpi-server", *options, "--host", "127.0.0.1", "--port", "{port}"]
    command += ["--enable-core-metadata"]
    return Server("devpi", command, page="/root/dev/+simple/{}/", ready="/+api")


def proxpi(cache: Path, directory: Path, index: str) -> Server:
    """Serve what another index has with proxpi under gunicorn.

    :param directory: where it keeps files.
    :param index: the URL of the simple pages of the other index.
    """
    programs = _peer(cache, "proxpi")
    options = ["--workers", "1", "--threads", str(THREADS), "--bind", "127.0.0.1:{port}"]
    settings = {
        "PROXPI_INDEX_URL": index,
        "PROXPI_CACHE_DIR": str(directory),
        "PROXPI_DOWNLOAD_TIMEOUT": "60",
        "PROXPI_LOGGING_LEVEL": "WARNING",
    }
    command = [f"{programs}/gunicorn", *options, "proxpi.server:app"]
    return Server("proxpi", command, page="/index/{}/", ready="/health", settings=settings)


def older_pypid(cache: Path, checkout: Path, root: Path, *options: str, upstream: str = "none:") -> Server:
    """Serve a tree with the pypid of another checkout, which is installed as it is there."""
    programs = _environment(cache / f"pypid-{_state(checkout)}", [str(checkout.resolve())])
    return servers.pypid(root, *options, upstream=upstream, programs=programs)


def versions(cache: Path) -> str:
    """Return the names and versions of the peers, installed if they are not."""
    said = []
    for name, [requirement, *_] in _REQUIREMENTS.items():
        distribution = requirement.partition("[")[0]
        ask = f"from importlib.metadata import version; print(version({distribution!r}))"
        python = _peer(cache, name) / "python"
        done = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
        said.append(f"{distribution} {done.stdout.strip()}")
    return ", ".join(said)


def _peer(cache: Path, name: str) -> Path:
    return _environment(cache / name, _REQUIREMENTS[name])


def _state(checkout: Path) -> str:
    """Return a short name for the state of a checkout: its commit, or where it lies if it has none."""
    command = ["git", "-C", checkout, "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or sha256(bytes(checkout.resolve())).hexdigest()[:12]


def _environment(directory: Path, requirements: Sequence[str]) -> Path:
    """Return the directory of the programs of an environment, made and filled if it is not there."""
    programs = directory / "bin"
    if not (directory / "done").exists():
        print(f"installing {' '.join(requirements)} in {directory}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        subprocess.run([f"{programs}/pip", "install", "-qq", *requirements], check=True)
        (directory / "done").touch()
    return programs

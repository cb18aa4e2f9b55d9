"""An index made of nothing but files, as a web server serves it, and the wheels to put there."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from benchmarks import servers
from benchmarks.pages import MEDIA
from benchmarks.servers import Server
from pypid.names import normalize

__all__ = ["REQUIREMENTS", "configured_index", "publish", "real_wheels", "static_index"]

REQUIREMENTS = (
    *("boto3", "django", "fastapi", "httpx", "jinja2", "lxml", "matplotlib", "pandas", "pytest"),
    *("requests", "rich", "scikit-learn", "twisted", "uvicorn"),
)
"""What an application might want; with what these require there are about 60 wheels."""


def configured_index() -> str | None:
    """Give the URL of the index that pip is configured for here, or of the first extra one, if any."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        urls = value.strip("'\"").split()
        if urls:
            found[key.rpartition(".")[2]] = urls[0]
    return found.get("index-url") or found.get("extra-index-url")


def real_wheels(cache: Path, index: str) -> list[Path]:
    """Give the wheels of :data:`REQUIREMENTS`, resolved and downloaded once."""
    directory = cache / "wheels"
    if not (directory / "done").exists():
        print(f"downloading {' '.join(REQUIREMENTS)} to {directory}", flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*command, "--index-url", index, "--dest", directory, *REQUIREMENTS], check=True)
        (directory / "done").touch()
    return sorted(directory.glob("*.whl"))


def publish(root: Path, files: Sequence[Path]) -> None:
    """Put files and the pages of their projects (PEP 691) in the tree of a static index.

    Each file is copied, and its core metadata put beside it (PEP 658), unless it is in its place already.
    """
    entries: dict[str, list[dict[str, object]]] = {}
    for path in files:
        name = normalize(path.name.split("-")[0])
        place = root / "simple" / name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        entry = {"filename": path.name, "url": path.name, "hashes": {"sha256": sha256}}
        entry |= {"size": path.stat().st_size}
        if place != path:
            shutil.copyfile(path, place)
            metadata = _metadata(path)
            place.with_name(f"{path.name}.metadata").write_bytes(metadata)
            entry |= {"core-metadata": {"sha256": hashlib.sha256(metadata).hexdigest()}}
        entries.setdefault(name, []).append(entry)
    for name, listed in entries.items():
        page = json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": listed}).encode()
        (root / "simple" / name / "index").write_bytes(page)
        (root / "simple" / name / "index.gz").write_bytes(gzip.compress(page, 6, mtime=0))


def static_index(root: Path, project: str) -> Server:
    """Serve such a tree with nginx.

    :param project: the name of one that is there.
    """
    return servers.nginx(root, MEDIA["JSON"], f"/simple/{project}/")


def _metadata(wheel: Path) -> bytes:
    with ZipFile(wheel) as archive:
        [name] = (
            one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1
        )
        return archive.read(name)

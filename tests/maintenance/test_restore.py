"""Backups that are damaged, incomplete or malicious, and files that are there already."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypid.cli.main import main
from pypid.testing.builds import sdist, wheel


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A tree that was made with ``cp``, with records by the command."""
    project = tmp_path / "old" / "simple" / "quiet"
    project.mkdir(parents=True)
    for name, content in (wheel("quiet", "1.0", payload=b"x" * 10_000), sdist("quiet", "2.0")):
        (project / name).write_bytes(content)
    pypid(tmp_path / "old", "yank", "quiet", "2.0")
    return tmp_path / "old"


def pypid(root: Path, *arguments: str | Path, status: int = 0) -> str:
    """Run the command in this process, and return its output."""
    result = CliRunner().invoke(main, ["--root", str(root), *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.output.strip()


@pytest.mark.parametrize("kind", ["cut", "bit", "no-manifest", "escape", "link", "empty", "not-a-tar"])
def test_a_bad_backup_changes_nothing(old: Path, tmp_path: Path, kind: str) -> None:
    """One clear line, and nothing is left at the root."""
    good, bad, root = tmp_path / "good.tar", tmp_path / "bad.tar", tmp_path / "new"
    pypid(old, "backup", good)
    data = bytearray(good.read_bytes())
    if kind == "cut":
        bad.write_bytes(data[: len(data) // 2])
    elif kind == "bit":
        data[data.index(b"PK\3\4") + 40] ^= 1
        bad.write_bytes(data)
    elif kind in ("no-manifest", "escape", "link"):
        with tarfile.open(good) as source, tarfile.open(bad, "w") as target:
            for member in source:
                if member.name != "MANIFEST.json":
                    target.addfile(member, source.extractfile(member))
            if kind != "no-manifest":
                extra = tarfile.TarInfo("simple/../../escaped" if kind == "escape" else "simple/quiet/link")
                extra.type = tarfile.REGTYPE if kind == "escape" else tarfile.SYMTYPE
                extra.linkname = "/etc/passwd"
                target.addfile(extra)
    else:
        bad.write_bytes(b"" if kind == "empty" else b"PK\3\4" * 1000)
    said = pypid(root, "restore", bad, status=1)
    assert said.startswith("pypid: the backup ")
    assert said.count("\n") == 0
    assert [path for path in root.rglob("*") if path.is_file()] == []
    assert not (tmp_path / "escaped").exists()
    assert "up to serial" in pypid(root, "restore", good)


def test_a_backup_replaces_no_file_and_leaves_none_half_written(old: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    target.write_text("precious")
    assert "is there already" in pypid(old, "backup", target, status=1)
    assert target.read_text() == "precious"
    assert "cannot write" in pypid(old, "backup", tmp_path / "no" / "where.tar", status=1)
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup.tar"]

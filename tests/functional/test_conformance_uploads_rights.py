"""Conformance, section K: permission to upload."""

from __future__ import annotations

from pathlib import Path

from harness.conformance import USER, live_index
from harness.uploads import Upload

OTHER = ("bob", "another battery")


def test_c168_making_a_project(tmp_path: Path) -> None:
    """To make a project is another permission than to upload to one that is there."""
    rules = tmp_path / "rules.toml"
    rules.write_text(f'[default]\ncreate = ["{USER[0]}"]\nupload = ["{OTHER[0]}"]\n')
    with live_index(tmp_path, "--access", f"rules:{rules}", users=[OTHER]) as index:
        assert Upload.of("sample", OTHER).send(index.daemon).status == 403
        assert Upload.of("sample", USER).send(index.daemon).status == 200
        assert Upload.of("sample", USER).send(index.daemon).status == 403
        assert Upload.of("sample", OTHER).send(index.daemon).status == 200

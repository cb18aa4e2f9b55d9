"""``pypid check`` beside a daemon whose tree and catalog were damaged in every way, and its repairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.conformance import LiveIndex, live_index
from harness.daemon import daemon_environment
from harness.damage import CATALOG_DAMAGES, DAMAGES
from harness.processes import run, script

from pypid.testing.builds import wheel

SAMPLED = [damage for damage in DAMAGES if damage.name in ("one-bit", "archive-gone")]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LiveIndex]:
    """Yield a daemon with a project to which nothing is done, and those of :data:`SAMPLED`."""
    with live_index(tmp_path) as live:
        for name in ["bystander", *(damage.name for damage in SAMPLED)]:
            live.publish_wheel(name)
        live.set_status("bystander", "deprecated", reason="old")
        assert pypid(live, "check") == ["nothing to complain of in 3 projects"]
        yield live


def pypid(index: LiveIndex, *arguments: str, status: int = 0) -> list[str]:
    """Run the command beside the daemon, and return its lines."""
    command = [script("pypid"), "--root", index.daemon.root, *arguments]
    return run(command, environment=daemon_environment(), status=status).splitlines()


def file_of(project: str) -> str:
    return wheel(project, "1.0")[0]


def test_every_damage_is_named_and_repaired_or_not(index: LiveIndex) -> None:
    """Each has a line of its own, with a word on the repair; afterwards only the others are left."""
    for damage in DAMAGES:
        if damage not in SAMPLED:
            index.publish_wheel(damage.name)
    for name in ("project-record", "record-garbage"):
        index.set_status(name, "deprecated", reason="old")
    index.yank("record-garbage", "1.0", reason="wrong")
    assert pypid(index, "check") == [f"nothing to complain of in {len(DAMAGES) + 1} projects"]
    for damage in DAMAGES:
        damage.do(index.simple_directory / damage.name, file_of(damage.name))
    found = pypid(index, "check", status=1)
    for damage in DAMAGES:
        said = damage.said.format(file=file_of(damage.name))
        assert sum(said in line for line in found) == 1, (said, found)
    assert not [line for line in found if "bystander" in line and "record-of-another" not in line]
    assert len(found) == len(DAMAGES), found

    repaired = pypid(index, "check", "--repair", status=1)
    for damage in DAMAGES:
        said = damage.said.format(file=file_of(damage.name))
        [line] = [line for line in repaired if said in line]
        assert line.startswith("repaired: " if damage.is_repaired else "cannot be repaired: "), line

    left = pypid(index, "check", status=1)
    assert len(left) == sum(not damage.is_repaired for damage in DAMAGES), left
    for damage in DAMAGES:
        assert any(damage.name in line for line in left) == (not damage.is_repaired), (damage.name, left)
    served_after_the_repair(index)


def served_after_the_repair(index: LiveIndex) -> None:
    """Check what the daemon, which ran all the time, serves of repaired and of damaged projects."""
    for name in ("bystander", "mode", "record-garbage", "record-empty", "replacement"):
        answer = index.get(f"/packages/{name}/{file_of(name)}")
        assert (answer.status, answer.body) == (200, wheel(name, "1.0")[1]), name
    assert index.entry("record-garbage", file_of("record-garbage"))["yanked"] == "wrong"
    for name in ("project-record", "record-garbage"):
        assert index.json(name)["project-status"] == {"status": "deprecated", "reason": "old"}
    for name in ("metadata", "metadata-gone"):
        found = index.get(f"/packages/{name}/{file_of(name)}.metadata")
        assert b"\nVersion: 1.0\n" in found.body, name
    for name in ("one-bit", "all-zeros", "truncated"):  # nobody installs wrong bytes
        assert index.get(f"/packages/{name}/{file_of(name)}").status == 410, name
        assert index.json(name)["files"] == []
    assert index.files("removal") == set()
    # Whoever owned a project before owns it now.
    assert index.upload(*wheel("record-empty", "2.0")).status == 200


@pytest.mark.parametrize("kind", CATALOG_DAMAGES)
def test_a_wrong_catalog_is_named_and_made_anew(index: LiveIndex, kind: str) -> None:
    """The daemon goes on with the new one."""
    damage, said = CATALOG_DAMAGES[kind]
    index.json("bystander")
    if kind == "garbage":
        index.daemon.stop()  # it would notice, and make it anew
    damage(index.daemon.root)
    found = pypid(index, "check", status=1)
    assert any(said in line for line in found), found
    assert pypid(index, "check", "--repair")[0].startswith("repaired: .pypid/catalog.sqlite: ")
    assert pypid(index, "check") == ["nothing to complain of in 3 projects"]
    if kind == "garbage":
        index.daemon.start()
    [file] = index.json("bystander")["files"]
    assert file["filename"] == file_of("bystander")


def test_a_sample_reads_a_share_of_the_archives(index: LiveIndex) -> None:
    """What needs no reading of archives is checked of all."""
    for damage in SAMPLED:
        damage.do(index.simple_directory / damage.name, file_of(damage.name))
    [line] = pypid(index, "check", "--sample", "0.000001%", status=1)
    assert "archive-gone" in line
    assert "is no share" in " ".join(pypid(index, "check", "--sample", "half", status=2))

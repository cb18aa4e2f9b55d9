"""The mount of a path, and mount options with which an index would lose data."""

from __future__ import annotations

import pytest

from pypid.maintenance.mounts import Mount, find_mount, notes, objections

MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
40 22 0:35 / /srv rw,relatime shared:2 - nfs4 nas:/srv rw,vers=4.2,hard,proto=tcp,local_lock=none
41 22 0:36 / /srv/with\\040blank rw - nfs nas:/x rw,vers=3,soft,nolock
42 22 0:37 / /srv2 rw master:1 - cifs //nas/x rw,nobrl
43 40 0:38 / /srv rw - tmpfs tmpfs rw
garbage
""".splitlines()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/pypi", "ext4"),
        ("/srv/pypi", "tmpfs"),
        ("/srv/with blank/pypi", "nfs"),
        ("/srv2", "cifs"),
        ("/srv22", "ext4"),
    ],
)
def test_the_longest_and_last_mount_counts(path: str, kind: str) -> None:
    found = find_mount(MOUNTINFO, path)
    assert found is not None
    assert found.kind == kind


def test_no_list_no_mount() -> None:
    assert find_mount([], "/srv") is None


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("nfs", "rw,vers=3,hard,nolock", ["locks hold on this machine only"]),
        ("nfs", "rw,hard,local_lock=all", ["locks hold on this machine only"]),
        ("nfs4", "rw,local_lock=flock", ["locks hold on this machine only"]),
        ("nfs4", "rw,soft,local_lock=none", ["with `soft` a write"]),
        ("nfs4", "rw,softerr,local_lock=posix", ["locks hold", "with `soft` a write"]),
        ("nfs4", "rw,hard,local_lock=none", []),
        ("cifs", "rw,nobrl", ["with `nobrl`"]),
        ("ext4", "rw,nobarrier", ["without barriers"]),
        ("ext4", "rw,barrier=0", ["without barriers"]),
        ("ext4", "ro", ["it is read-only"]),
        ("ext4", "rw,relatime,errors=remount-ro", []),
    ],
)
def test_objections(kind: str, options: str, said: list[str]) -> None:
    found = objections(Mount("/srv", kind, frozenset(options.split(","))))
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))


NOTES = [("tmpfs", "in memory"), ("overlay", "volume"), ("nfs4", "`sync`")]


@pytest.mark.parametrize(("kind", "said"), NOTES)
def test_notes(kind: str, said: str) -> None:
    [note] = notes(Mount("/srv", kind, frozenset()))
    assert said in note
    assert notes(Mount("/srv", "ext4", frozenset())) == []

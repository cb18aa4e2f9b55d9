"""The file system of a directory, by Linux' list of mounts, and the options with which it loses data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from attrs import frozen

__all__ = ["Mount", "find_mount", "notes", "objections"]

_ESCAPED = re.compile(r"\\([0-7]{3})")


@frozen
class Mount:
    """A mounted file system."""

    point: str
    """The directory on which it is mounted."""
    kind: str
    """Its type, such as ``ext4`` or ``nfs4``."""
    options: frozenset[str]
    """Its options, those of the mount and those of the file system."""


def find_mount(mountinfo: Iterable[str], path: str) -> Mount | None:
    """Return the mount that a path is on, or ``None`` if the list has none.

    :param mountinfo: the lines of ``/proc/self/mountinfo``, see proc(5).
    :param path: an absolute path without symbolic links.
    """
    found = None
    for line in mountinfo:
        before, separator, after = line.rstrip("\n").partition(" - ")
        fields, more = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or len(more) < 3:
            continue
        point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
        # A later line is mounted over an earlier one.
        if PurePath(path).is_relative_to(point) and (found is None or len(point) >= len(found.point)):
            found = Mount(point, more[0], frozenset([*fields[5].split(","), *more[2].split(",")]))
    return found


def objections(mount: Mount) -> Sequence[str]:
    """Return the reasons why an index on this file system would lose data, a line each."""
    found = []
    has = mount.options.__contains__
    if mount.kind in ("nfs", "nfs4"):
        if has("nolock") or any(map(has, ("local_lock=all", "local_lock=flock", "local_lock=posix"))):
            found.append("its locks hold on this machine only; mount it without nolock and local_lock=")
        if has("soft") or has("softerr"):
            found.append("with `soft` a write that takes long is given up, and may be lost; mount it `hard`")
    if mount.kind in ("cifs", "smb3") and has("nobrl"):
        found.append("with `nobrl` its locks hold on this machine only; mount it without")
    if has("nobarrier") or has("barrier=0"):
        found.append("without barriers a power cut loses what was synced; mount it with barriers")
    if has("ro"):
        found.append("it is read-only")
    return found


def notes(mount: Mount) -> Sequence[str]:
    """Return what an administrator should know of this file system, a line each."""
    if mount.kind in ("tmpfs", "ramfs"):
        return ["it is in memory: everything on it is gone after a restart"]
    if mount.kind == "overlay":
        return ["it is the layer of a container, and may go with it: use a volume"]
    if mount.kind in ("nfs", "nfs4"):
        return ["the server must export it with `sync`, which cannot be seen from here"]
    return []

"""What has to be in a wheel (binary distribution format, "File contents")."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Set

from pypid.archives.bounds import MAX_MEMBERS, MAX_METADATA
from pypid.archives.contents import Contents, What, shown
from pypid.archives.reading import is_wheel_metadata
from pypid.archives.zips import Zip
from pypid.errors import InvalidArchive
from pypid.names import Filename

__all__ = ["inspect_wheel"]

MAX_RECORD = 16 << 20
MAX_RECORD_PARTS = 10 * MAX_MEMBERS
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")


def inspect_wheel(archive: Zip, contents: Contents, name: Filename) -> tuple[bytes, list[str]]:
    """Give the METADATA of a wheel, and say what is unusual about it.

    :raises InvalidArchive: something is missing that must be there.
    """
    directories = [top for top in contents.tops if top.endswith(".dist-info")]
    if len(directories) != 1 or not is_wheel_metadata(f"{directories[0]}/METADATA", name):
        raise InvalidArchive("the wheel does not have one .dist-info directory of its name and version")
    directory = directories[0]
    found = {member.name: member for member in archive.members}
    read = {}
    for required, limit in (("METADATA", MAX_METADATA), ("WHEEL", MAX_METADATA), ("RECORD", MAX_RECORD)):
        member = found.get(f"{directory}/{required}")
        if member is None:
            raise InvalidArchive(f"the wheel has no {required} in its .dist-info directory")
        read[required] = archive.read(member, limit, "metadata" if required == "METADATA" else required)
    oddities = []
    if directory.lower() != "-".join(name.filename.split("-")[:2]).lower() + ".dist-info":
        oddities.append("the wheel's .dist-info directory is spelled otherwise than its file name")
    unrecorded = {f"{directory}/{one}" for one in _UNRECORDED}
    files = {path for path, what in contents.paths.items() if what is What.FILE} - unrecorded
    oddities += _compare(read["RECORD"], files, unrecorded)
    return read["METADATA"], oddities


def _compare(record: bytes, files: Set[str], unrecorded: Set[str]) -> Iterator[str]:
    """Say in what RECORD differs from the files that there are."""
    if sum(map(record.count, (b"\n", b"\r", b","))) > MAX_RECORD_PARTS:
        yield "the wheel's RECORD lists more than there may be"
        return
    try:
        rows = csv.reader(io.StringIO(record.decode(), newline=""))
        recorded = {row[0] for row in rows if row} - unrecorded
    except (UnicodeDecodeError, csv.Error):
        yield "the wheel's RECORD cannot be read"
        return
    missing, unknown = files - recorded, recorded - files
    for path in sorted(missing)[:1]:
        yield f"the wheel's RECORD does not list {shown(path)}"
    for path in sorted(unknown)[:1]:
        yield f"the wheel's RECORD lists what is not there: {shown(path)}"

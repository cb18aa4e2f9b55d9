"""The mandatory contents of a wheel (binary distribution format, "File contents")."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Set
from configparser import ConfigParser
from configparser import Error as ConfigParserError

from pypid.archives.bounds import MAX_MEMBERS, MAX_METADATA
from pypid.archives.contents import Contents, MemberType, printable
from pypid.archives.metadata_files import is_wheel_metadata
from pypid.archives.zip_directory import ZipMember
from pypid.archives.zips import Zip
from pypid.errors import InvalidArchive
from pypid.names import Filename

__all__ = ["inspect_wheel"]

MAX_RECORD = 16 << 20
MAX_RECORD_PARTS = 10 * MAX_MEMBERS
MAX_ENTRY_POINTS = 200_000
_SCRIPTS = ("console_scripts", "gui_scripts")
_SCRIPT_NAME = re.compile(r"[\w.-]+")
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")


class _EntryPoints(ConfigParser):
    """Parses entry points; their names are case-sensitive."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def inspect_wheel(archive: Zip, contents: Contents, name: Filename) -> tuple[str, bytes, list[str]]:
    """Return the .dist-info directory of a wheel, its METADATA, and its oddities.

    :raises InvalidArchive: a mandatory file is missing.
    """
    directories = [top for top in contents.top_names if top.endswith(".dist-info")]
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
    if directory != "-".join(name.filename.split("-")[:2]) + ".dist-info":
        oddities.append("the wheel's .dist-info directory is spelled otherwise than its file name")
    unrecorded = {f"{directory}/{one}" for one in _UNRECORDED}
    files = {path for path, kind in contents.paths.items() if kind is MemberType.FILE} - unrecorded
    oddities += _compare(read["RECORD"], files, unrecorded)
    entry_points = found.get(f"{directory}/entry_points.txt")
    if entry_points is not None and not _has_entry_points(archive, entry_points):
        oddities.append("the wheel's entry_points.txt is not as it must be, or too long")
    return directory, read["METADATA"], oddities


def _has_entry_points(archive: Zip, member: ZipMember) -> bool:
    """Return whether entry points can be parsed, and no name of a script is a path."""
    parser = _EntryPoints(delimiters=("=",))
    try:
        parser.read_string(archive.read(member, MAX_ENTRY_POINTS, "entry points").decode())
    except (InvalidArchive, UnicodeDecodeError, ConfigParserError):
        return False
    scripts = [name for group in _SCRIPTS if parser.has_section(group) for name in parser[group]]
    return all(map(_SCRIPT_NAME.fullmatch, scripts))


def _compare(record: bytes, files: Set[str], unrecorded: Set[str]) -> Iterator[str]:
    """Yield the differences between RECORD and the files of the wheel."""
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
        yield f"the wheel's RECORD does not list {printable(path)}"
    for path in sorted(unknown)[:1]:
        yield f"the wheel's RECORD lists what is not there: {printable(path)}"

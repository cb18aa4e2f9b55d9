"""The scan of a project: its earlier state, its listing, and the files to read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from attrs import define, evolve, field

from pypid.catalog.rows import Content, Description, Row, Snapshot
from pypid.errors import NotFound, PypidError, StorageUnavailable
from pypid.model import StoredFile, StoredProject

__all__ = ["ProjectScan"]


@define(eq=False)
class ProjectScan:
    """The results of a scan, from the lookup to the reconciliation. For one thread at a time."""

    name: str
    """The normalized name of the project."""
    fingerprint: Hashable
    """The storage's fingerprint from before the scan."""
    before: Snapshot
    """The catalog's state of the project before the scan."""
    stored: StoredProject | None = field(default=None, init=False)
    """The storage's listing; ``None`` if the project does not exist."""
    rows: dict[str, Row] = field(factory=dict, init=False)
    """Rows by file name."""
    unread: Sequence[StoredFile] = field(default=(), init=False)
    """Files whose contents the catalog does not know."""
    whole: bool = field(default=True, init=False)
    """Whether all files were read."""
    passing: bool = field(default=False, init=False)
    """Whether a file could not be read for a reason that may pass at any moment."""
    retained: set[str] = field(factory=set, init=False)
    """The names of unreadable files that keep their earlier rows."""
    failure: PypidError | None = field(default=None, init=False)
    """The error if the project could not be listed."""
    _missing: PypidError | None = field(default=None, init=False)
    _left_out: PypidError | None = field(default=None, init=False)

    @property
    def content(self) -> Content | None:
        """The current state of the project; ``None`` if it does not exist."""
        if self.stored is None:
            return None
        return Content(evolve(self.stored.record, owners=self.stored.owners), self.rows)

    @property
    def missing(self) -> PypidError | None:
        """The error if a page would be wrong: it would lack a file, or be empty."""
        if self._left_out is not None and not any(row.is_shown for row in self.rows.values()):
            return self._missing or self._left_out
        return self._missing

    @property
    def has_changed(self) -> bool:
        """Whether the project differs from the catalog's state."""
        return self.content != self.before.content

    def list(self, stored: StoredProject | None, now: int) -> None:
        """Take the listing of the storage. :param now: the time in microseconds since the epoch."""
        self.stored = stored
        files = stored.files if stored is not None else ()
        self.rows = {file.filename: self._row(file, None, now) for file in files}
        self.unread = [file for file in files if self.rows[file.filename].description is None]

    def add_reading(
        self, file: StoredFile, read: Description | NotFound | StorageUnavailable, now: int
    ) -> None:
        """Take the contents of a file, or the error if it could not be read.

        A known file keeps its row: a failure says nothing about it. An unknown file must not be
        omitted silently, since installers would take an older one. But an unreadable file that was put
        there by hand is omitted: otherwise it would make its project unavailable for good.

        :param now: the time in microseconds since the epoch.
        """
        if isinstance(read, Description):
            self.rows[file.filename] = self._row(file, read, now)
            return
        self.whole = False
        known = self._known_row(file.filename)
        if known is not None:
            self.rows[file.filename] = known
            self.retained.add(file.filename)
        else:
            del self.rows[file.filename]
        # An absent file was removed just now, or its whole disk was unmounted.
        lasting = isinstance(read, StorageUnavailable) and read.lasting
        self.passing = self.passing or not lasting
        is_shown = known is not None and known.description is not None
        if isinstance(read, StorageUnavailable) and not is_shown:
            if lasting and file.record is None:
                self._left_out = read
            else:
                self._missing = read

    def _known_row(self, filename: str) -> Row | None:
        return self.before.content.rows.get(filename) if self.before.content is not None else None

    def _row(self, file: StoredFile, read: Description | None, now: int) -> Row:
        return Row.of(self.name, file, self._known_row(file.filename), read, now)

"""A look at a project: what it was, what is listed, and what has to be read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from attrs import define, evolve, field

from pypid.catalog.rows import Content, Description, Row, Snapshot
from pypid.errors import NotFound, PypidError, StorageUnavailable
from pypid.model import StoredFile, StoredProject

__all__ = ["ProjectScan"]


@define(eq=False)
class ProjectScan:
    """What is found out about a project, from its being looked up to its being settled."""

    name: str
    """Its name."""
    fingerprint: Hashable
    """The storage's, from before all else."""
    before: Snapshot
    """What the catalog had of it."""
    stored: StoredProject | None = field(default=None, init=False)
    """What is listed of it; ``None`` if it is not there."""
    rows: dict[str, Row] = field(factory=dict, init=False)
    """Its files, by name."""
    unread: Sequence[StoredFile] = field(default=(), init=False)
    """Those of which the catalog does not know what is in them."""
    whole: bool = field(default=True, init=False)
    """Whether all files could be read."""
    passing: bool = field(default=False, init=False)
    """Whether some could not that can be at the next moment."""
    retained: set[str] = field(factory=set, init=False)
    """The names of files that could not be read now, and stay as they were known before."""
    failure: PypidError | None = field(default=None, init=False)
    """Why it could not be listed."""
    _missing: PypidError | None = field(default=None, init=False)
    _left_out: PypidError | None = field(default=None, init=False)

    @property
    def content(self) -> Content | None:
        """What the project is now; ``None`` if it is not there."""
        if self.stored is None:
            return None
        return Content(evolve(self.stored.record, owners=self.stored.owners), self.rows)

    @property
    def missing(self) -> PypidError | None:
        """Why a page of it would be wrong: it would be without a file that should be there, or empty."""
        if self._left_out is not None and not any(row.is_shown for row in self.rows.values()):
            return self._missing or self._left_out
        return self._missing

    @property
    def has_changed(self) -> bool:
        """Whether it is not what the catalog had."""
        return self.content != self.before.content

    def list(self, stored: StoredProject | None, now: int) -> None:
        """Hear what is listed. :param now: the time in microseconds since the epoch."""
        self.stored = stored
        files = stored.files if stored is not None else ()
        self.rows = {file.filename: self._row(file, None, now) for file in files}
        self.unread = [file for file in files if self.rows[file.filename].description is None]

    def add_reading(
        self, file: StoredFile, read: Description | NotFound | StorageUnavailable, now: int
    ) -> None:
        """Hear what was read of a file, or why it could not be. Threads may do that in turn.

        A file that was known stays as it was: a failure is no news of it. One that was not must not be
        passed over in silence, since installers would take an older one. But what somebody put there
        by hand, and nobody may read, is left out: else it would close its project for good.
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
        # What is not there went away just now, or all did, as from an unmounted disk.
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

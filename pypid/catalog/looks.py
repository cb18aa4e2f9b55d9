"""A look at a project: what it was, what is listed, and what has to be read."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from attrs import define, evolve, field

from pypid.catalog.rows import Content, Description, Row, Snapshot
from pypid.errors import PypidError
from pypid.model import StoredFile, StoredProject

__all__ = ["Look"]


@define(eq=False)
class Look:
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
    """Whether all files could be read; others are left out."""
    failure: PypidError | None = field(default=None, init=False)
    """Why it could not be listed."""

    @property
    def content(self) -> Content | None:
        """What the project is now; ``None`` if it is not there."""
        if self.stored is None:
            return None
        return Content(evolve(self.stored.record, owners=self.stored.owners), self.rows)

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

    def hear(self, file: StoredFile, read: Description | None, now: int) -> None:
        """Hear what was read of a file; ``None`` says that it could not be. Threads may do that in turn."""
        if read is not None:
            self.rows[file.filename] = self._row(file, read, now)
        else:
            del self.rows[file.filename]
            self.whole = False

    def _row(self, file: StoredFile, read: Description | None, now: int) -> Row:
        known = self.before.content.rows if self.before.content is not None else {}
        return Row.of(self.name, file, known.get(file.filename), read, now)

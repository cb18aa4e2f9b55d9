"""Where everything lies below the root of an index."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

__all__ = ["Layout"]


@frozen
class Layout:
    """The paths of one index. ``.pypid/`` holds what is derived, on its way, or fetched from upstreams."""

    root: Path
    """The directory that is given as ``--root``."""

    @property
    def projects(self) -> Path:
        """The projects that are published here, a directory each."""
        return self.root / "simple"

    @property
    def users(self) -> Path:
        """The password file that is used if none is named."""
        return self.root / "htpasswd"

    @property
    def tokens(self) -> Path:
        """The file of tokens that is used if none is named."""
        return self.root / "tokens"

    @property
    def state(self) -> Path:
        """All that need not be backed up."""
        return self.root / ".pypid"

    @property
    def catalog(self) -> Path:
        """The tables of the catalog, an SQLite file."""
        return self.state / "catalog.sqlite"

    @property
    def staging(self) -> Path:
        """Uploads that are in flight."""
        return self.state / "staging"

    @property
    def caches(self) -> Path:
        """What is kept of upstreams, a directory each."""
        return self.state / "cache"

    def cache(self, upstream: str) -> Path:
        """Return where the pages and files of an upstream of this name are kept."""
        return self.caches / upstream

"""The paths below the root of an index."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

__all__ = ["Layout"]


@frozen
class Layout:
    """The paths of one index. ``.pypid/`` holds derived data, uploads in flight and caches of upstreams."""

    root: Path
    """The directory given as ``--root``."""

    @property
    def projects(self) -> Path:
        """The projects published here, a directory each."""
        return self.root / "simple"

    @property
    def configuration(self) -> Path:
        """The default configuration file."""
        return self.root / "pypid.toml"

    @property
    def users(self) -> Path:
        """The default password file."""
        return self.root / "htpasswd"

    @property
    def tokens(self) -> Path:
        """The default file of API tokens."""
        return self.root / "tokens"

    @property
    def state(self) -> Path:
        """The directory of everything that needs no backup."""
        return self.root / ".pypid"

    @property
    def catalog(self) -> Path:
        """The catalog's SQLite file."""
        return self.state / "catalog.sqlite"

    @property
    def daemon(self) -> Path:
        """The file that says where the running daemon answers."""
        return self.state / "daemon.json"

    @property
    def staging(self) -> Path:
        """The directory of uploads in flight."""
        return self.state / "staging"

    @property
    def control(self) -> Path:
        """The directory of the sockets over which the command talks to running daemons."""
        return self.state / "control"

    @property
    def caches(self) -> Path:
        """The caches of upstreams, a directory each."""
        return self.state / "cache"

    def cache(self, upstream: str) -> Path:
        """Return the directory of one upstream's cached pages and files."""
        return self.caches / upstream

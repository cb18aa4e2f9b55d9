"""The caches of an index's upstreams, on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from attrs import frozen

from pypid.errors import InvalidFilename, UpstreamFailed
from pypid.formats.attestations import is_provenance
from pypid.model import File, Project
from pypid.names import Sidecar, normalize, parse_filename
from pypid.runtime.layout import Layout
from pypid.upstream.counters import FileCounts, PageCounts
from pypid.upstream.files.digests import usable_digests
from pypid.upstream.files.eviction import DIGEST_SUFFIX, CacheEviction
from pypid.upstream.files.partial import sweep
from pypid.upstream.files.store import FileStore
from pypid.upstream.pages import read_cached_page
from pypid.upstream.statistics import read_statistics

__all__ = ["Cache", "caches"]

LEFT = 3600.0
"""The age, in seconds, at which a temporary file is abandoned; writing one takes an instant."""


@frozen
class Cache:
    """The cache of one upstream. All methods block."""

    directory: Path
    """The directory of the cache."""

    @property
    def name(self) -> str:
        """The name of the upstream."""
        return self.directory.name

    @property
    def _files(self) -> Path:
        return self.directory / "files"

    @property
    def _pages(self) -> Iterator[Path]:
        return (self.directory / "pages").glob("[!.]*.json")

    @property
    def pages(self) -> Sequence[str]:
        """Normalized names of the projects whose pages are cached."""
        return sorted(path.stem for path in self._pages)

    @property
    def files(self) -> Sequence[Path]:
        """The cached files and their sidecar files."""
        found = (path for path in self._files.glob("*/[!.]*") if not path.name.endswith(DIGEST_SUFFIX))
        return sorted(path for path in found if path.is_file() and not path.is_symlink())

    @property
    def size(self) -> int:
        """The size of all pages and files, in bytes."""
        return sum(_size(path) for path in (*self._pages, *self.files))

    def statistics(self) -> tuple[PageCounts, FileCounts]:
        """Return the counts of pages and files; those of a running daemon may be a minute old."""
        pages, files = PageCounts(), FileCounts()
        found = read_statistics(self.directory / "statistics.json", {"pages": pages, "files": files})
        return PageCounts(**found["pages"]), FileCounts(**found["files"])

    def shrink(self, max_size: int) -> int:
        """Evict the least recently used files and pages until the rest fits.

        :param max_size: the size that may stay, in bytes.
        :returns: the number of files and pages removed.
        """
        counts = FileCounts()
        CacheEviction(self.directory, max_size, counts).make_room(0)
        return counts.evictions

    def tidy(self) -> None:
        """Remove the temporary files of processes that ended early."""
        sweep(self.directory / "partial")
        for path in (*self.directory.glob(".*"), *self.directory.glob("pages/.*"), *self._files.glob("*/.*")):
            with suppress(OSError):
                if path.lstat().st_mtime < time.time() - LEFT:
                    path.unlink()

    def verify(self, files: Sequence[Path]) -> Iterator[tuple[Path, bool | None]]:
        """Read files, and yield for each whether it has the digest that its page promises.

        A file with another digest is removed. The verdict is ``None`` if no digest is known.
        """
        tree = FileStore(
            self._files, self.directory / "partial", CacheEviction(self.directory, 0, FileCounts())
        )
        project: Project | None = None
        for path in files:
            if project is None or project.name != path.parent.name:
                project = self._project(path.parent.name)
            if path.name.endswith(Sidecar.METADATA.value):
                yield path, _verify_metadata(project, path)
            elif path.name.endswith(Sidecar.PROVENANCE.value):
                yield path, _verify_bytes(path, is_provenance)
            else:
                yield path, _verify(tree, project, path)

    def _project(self, name: str) -> Project:
        """Return the project of a cached page, or one without files if there is no such page."""
        try:
            return read_cached_page(name, (self.directory / "pages" / f"{name}.json").read_bytes())[0]
        except (OSError, UpstreamFailed):
            return Project(name, name, ())


def caches(root: Path, names: Sequence[str] = ()) -> Sequence[Cache]:
    """Return the caches of an index: those of the named upstreams, or all if none is named."""
    found = (Cache(path) for path in sorted(Layout(root).caches.glob("*")) if path.is_dir())
    return [cache for cache in found if not names or cache.name in names]


def _verify(tree: FileStore, project: Project, path: Path) -> bool | None:
    file = project.file(path.name) or _bare(path)
    if file is None or not (usable_digests(file.hashes) or tree.recorded_digest(project.name, path.name)):
        return None
    try:
        asked_for = path.stat().st_atime_ns
        opened = tree.open(project.name, file)
        if opened is None:
            return None if path.exists() else False
        # No client requested the file now, so this read must not make it look recently used.
        opened.set_times(asked_for, opened.status().st_mtime_ns)
        opened.close()
    except OSError:
        return None
    return True


def _verify_metadata(project: Project, path: Path) -> bool | None:
    file = project.file(path.name.removesuffix(Sidecar.METADATA.value))
    if file is None or not isinstance(file.core_metadata, str):
        return None
    digest = file.core_metadata
    return _verify_bytes(path, lambda metadata: sha256(metadata).hexdigest() == digest)


def _verify_bytes(path: Path, check: Callable[[bytes], bool]) -> bool | None:
    try:
        is_right = check(path.read_bytes())
        if not is_right:
            path.unlink(missing_ok=True)
    except OSError:
        return None
    return is_right


def _bare(path: Path) -> File | None:
    """Return a description of a file that no page lists any more, but that may have a recorded digest."""
    try:
        name = parse_filename(path.name, normalize(path.parent.name))
    except InvalidFilename:
        return None
    return File(path.name, name.version, name.kind, None, {}, None, None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # removed meanwhile
        return 0

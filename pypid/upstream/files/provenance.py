"""The provenance of an upstream's files, from wherever its pages say that it is (PEP 740)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from pypid.errors import NotFound, UpstreamFailed
from pypid.formats import attestations
from pypid.interfaces import IWorkers
from pypid.model import File
from pypid.names import Sidecar
from pypid.runtime.single_flight import SingleFlight
from pypid.upstream.files.store import FileTree
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.client import UpstreamClient

__all__ = ["Provenances"]

_ACCEPT = "application/vnd.pypi.integrity.v1+json, application/json; q=0.5"
_GONE = (404, 410)


@define(eq=False)
class Provenances:
    """Fetches provenance objects, and keeps them beside the files.

    There may be another one tomorrow, as attestations come to be added. So they are asked for
    again when pages are, and shown stale for as long while the upstream fails.
    """

    _origin: UpstreamClient
    _tree: FileTree
    _workers: IWorkers
    _reactor: Any
    ttl: float
    """For how long, in seconds, one is taken to be right."""
    max_stale: float
    """How old, in seconds, one may be that is shown because the upstream cannot be asked."""
    offline: bool = False
    """Whether nothing is asked for, and what is kept is right, whatever its age."""
    _questions: SingleFlight[bytes] = field(factory=SingleFlight, init=False)
    _log = Logger()

    async def provenance(self, project: str, file: File) -> bytes:
        """Give the provenance object of a file.

        :raises NotFound: the upstream has none.
        :raises UpstreamFailed: it cannot be asked, or what it has is none, and none is kept.
        """
        url = file.provenance_url
        if url is None:
            raise NotFound("the file has no provenance")
        kept, confirmed = await self._workers.run(self._load, project, file.filename)
        age = self._reactor.seconds() - confirmed
        if kept is not None and (self.offline or 0 <= age < self.ttl):
            return kept
        if self.offline:
            raise UpstreamFailed(
                f"the upstream is not asked, and the provenance of {file.filename} is not kept"
            )
        key = project, file.filename, url
        try:
            return await self._questions.run(key, lambda: self._fetch(project, file.filename, url))
        except UpstreamFailed as error:
            if kept is None or age > self.max_stale:
                raise
            self._log.warn("An old provenance of {name} is shown: {error}", name=file.filename, error=error)
            return kept

    async def _fetch(self, project: str, filename: str, url: str) -> bytes:
        """Ask for one, and keep it."""
        answer = await self._origin.page(url, {"Accept": _ACCEPT}, attestations.MAX_SIZE)
        if answer.status in _GONE:
            # Whoever withdrew it may have had a good reason.
            await self._attempt(self._tree.remove_sidecar, project, filename, Sidecar.PROVENANCE)
            raise NotFound("the file has no provenance")
        if not await self._workers.run(attestations.is_provenance, answer.body):
            raise UpstreamFailed(f"{Origin.of(answer.url)}: the provenance of {filename} is not one")
        now = self._reactor.seconds()
        await self._attempt(self._tree.keep_sidecar, project, filename, Sidecar.PROVENANCE, answer.body, now)
        return answer.body

    async def _attempt(self, function: Callable[..., None], *args: Any) -> None:
        """Change what is kept; all goes on where that fails."""
        try:
            await self._workers.run(function, *args)
        except OSError as error:
            self._log.warn("A provenance is not kept: {error}", error=error.strerror)

    def _load(self, project: str, filename: str) -> tuple[bytes | None, float]:
        """Give what is kept, and when it was fetched; nothing if it came to harm since. It blocks."""
        found = self._tree.sidecar(project, filename, Sidecar.PROVENANCE)
        if found is None or not attestations.is_provenance(found[0]):
            return None, -inf
        return found

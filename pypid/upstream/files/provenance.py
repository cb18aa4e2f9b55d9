"""Provenance of an upstream's files, from the URLs on its pages (PEP 740)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.errors import NotFound, UpstreamFailed
from pypid.formats import attestations
from pypid.interfaces import IWorkers
from pypid.model import File
from pypid.names import Sidecar
from pypid.runtime.single_flight import SingleFlight
from pypid.upstream.files.store import FileStore
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.client import UpstreamClient

__all__ = ["Provenances"]

_ACCEPT = "application/vnd.pypi.integrity.v1+json, application/json; q=0.5"


@define(eq=False)
class Provenances:
    """Fetches provenance objects, and caches them beside the files.

    Attestations may be added later, so a provenance object expires as a page does, and is served
    stale for as long as a page while the upstream fails.
    """

    _client: UpstreamClient
    _store: FileStore
    _workers: IWorkers
    _reactor: IReactorTime
    ttl: float
    """For how many seconds a provenance object is fresh."""
    max_stale: float
    """Greatest age, in seconds, of a stale provenance object that is served while the upstream fails."""
    offline: bool = False
    """Whether no request is sent, and cached objects are served whatever their age."""
    _fetches: SingleFlight[bytes] = field(factory=SingleFlight, init=False)
    _log = Logger()

    async def provenance(self, project: str, file: File) -> bytes:
        """Return the provenance object of a file.

        :raises NotFound: the upstream has none.
        :raises UpstreamFailed: it cannot be fetched or is malformed, and none is cached.
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
            return await self._fetches.run(key, lambda: self._fetch(project, file.filename, url))
        except UpstreamFailed as error:
            if kept is None or age > self.max_stale:
                raise
            self._log.warn("An old provenance of {name} is shown: {error}", name=file.filename, error=error)
            return kept

    async def _fetch(self, project: str, filename: str, url: str) -> bytes:
        """Fetch a provenance object, and cache it."""
        answer = await self._client.page(url, {"Accept": _ACCEPT}, attestations.MAX_SIZE)
        if answer.is_missing:
            # It may have been withdrawn for a good reason, so the cached one must go as well.
            await self._attempt(self._store.remove_sidecar, project, filename, Sidecar.PROVENANCE)
            raise NotFound("the file has no provenance")
        if not await self._workers.run(attestations.is_provenance, answer.body):
            raise UpstreamFailed(f"{Origin.of(answer.url)}: the provenance of {filename} is not one")
        now = self._reactor.seconds()
        await self._attempt(self._store.put_sidecar, project, filename, Sidecar.PROVENANCE, answer.body, now)
        return answer.body

    async def _attempt(self, function: Callable[..., None], *args: Any) -> None:
        """Change the cache in a worker; a failure is only logged."""
        try:
            await self._workers.run(function, *args)
        except OSError as error:
            self._log.warn("A provenance is not kept: {error}", error=error.strerror)

    def _load(self, project: str, filename: str) -> tuple[bytes | None, float]:
        """Return the cached object and its time in s since the epoch; ``None`` if it is damaged. Blocks."""
        found = self._store.sidecar(project, filename, Sidecar.PROVENANCE)
        if found is None or not attestations.is_provenance(found[0]):
            return None, -inf
        return found

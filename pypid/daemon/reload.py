"""Reading the configuration again while the daemon serves: all of it takes effect, or nothing.

A new :class:`~pypid.daemon.generation.Generation` is made and opened beside the one in use. If any part of
it is wrong, it is closed again and nothing has changed. Otherwise it takes over in one step: requests that
begin from then on are its own, and those under way end with the generation before. The providers that only
that one has are closed when its last request has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import define, evolve, field, fields_dict, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pypid.daemon import config as values
from pypid.daemon.config import Config
from pypid.daemon.configuration.origin import Given, Problem, WrongConfiguration
from pypid.daemon.configuration.schema import OPTIONS
from pypid.daemon.configuration.source import ConfigurationSource
from pypid.daemon.generation import Foundation, Generation
from pypid.daemon.tls import Endpoints
from pypid.errors import CannotStart, ConfigurationError, PypidError
from pypid.web.site import IndexSite

__all__ = ["Applied", "Reload", "ReloadResult"]

_log = Logger(namespace="pypid")

LINGER = 5.0
"""How long after the last request old providers are closed, in seconds: clients may leave work behind."""

Applied = Callable[[Config, Config], None]
"""Takes the configuration before and after a reload. It cannot fail."""


@frozen
class ReloadResult:
    """What has become of a reload."""

    is_done: bool
    """Whether the configuration was right, and is in use."""
    lines: Sequence[str]
    """What has changed, what needs a restart, or each mistake."""


@define(eq=False)
class Reload:
    """Replaces the configuration of a running daemon. Used in the reactor's thread."""

    _source: ConfigurationSource
    _base: Foundation
    _site: IndexSite
    _endpoints: Endpoints
    current: Generation
    """The generation in use."""
    appliers: list[Applied] = field(factory=list)
    """Called when another configuration has taken effect, for whatever lives longer than a generation."""
    _turn: DeferredLock = field(factory=DeferredLock, init=False)
    _living: list[Generation] = field(init=False)
    """The generation in use, and those before it whose last requests have not ended."""
    _endings: set[Deferred[None]] = field(factory=set, init=False)
    """What waits for the end of those."""
    _is_stopped: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._living = [self.current]

    async def run(self) -> ReloadResult:
        """Read the configuration again, and use it if it is right. Never raises; the log has the result."""
        await self._turn.acquire()
        try:
            result = ReloadResult(True, await self._reload())
        except WrongConfiguration as error:
            result = ReloadResult(False, [str(problem) for problem in error.problems])
        except PypidError as error:
            result = ReloadResult(False, [str(error).removeprefix("pypid: ")])
        except Exception as error:
            _log.failure("The configuration cannot be read again")
            result = ReloadResult(False, [f"{type(error).__name__}; the log has more"])
        finally:
            self._turn.release()
        for line in result.lines:
            (_log.info if result.is_done else _log.error)("reload: {line}", line=line)
        if not result.is_done:
            _log.error("reload: nothing was changed; what was in use before stays")
        return result

    def refuse(self) -> None:
        """Reload no more, because the daemon stops."""
        self._is_stopped = True

    def stop(self) -> None:
        """Close all providers, and end their threads. Blocks. No reload follows."""
        self._is_stopped = True
        for ending in list(self._endings):
            ending.cancel()
        made = [one for generation in self._living for one in generation.providers]
        for one in reversed(made):
            one.close()
        for one in reversed(made):
            one.stop()

    async def _reload(self) -> Sequence[str]:
        """Return a line about each change. :raises PypidError: something is wrong; nothing has changed."""
        before = self.current
        config, fixed = _with_fixed(before.config, await self._source.read())
        after = Generation.make(config, self._base, before)
        try:
            if (verifier := after.providers.verifier) is not None and not verifier.is_open:
                await self._base.pages.run(verifier.open)  # it takes a second
            if self._is_stopped:
                raise CannotStart("the daemon is about to stop")
            after.open()
            use_certificates = self._endpoints.read_again()
        except PypidError:
            await self._close(after)
            raise
        # From here on nothing can fail, and nothing waits.
        self.current = after
        self._living.append(after)
        self._site.replace(after.served)
        self._site.limits.limits = config.limits
        self._base.monitor.readiness.replace(after.checks)
        has_certificates = use_certificates()
        for apply in self.appliers:
            apply(before.config, config)
        self._retire(before)
        return _lines(before, after, fixed, has_certificates)

    def _retire(self, generation: Generation) -> None:
        """Close a generation when its last request has ended."""
        ending = Deferred.fromCoroutine(self._end(generation))
        self._endings.add(ending)
        ending.addErrback(lambda failure: _log.failure("Old providers cannot be closed", failure))
        ending.addBoth(lambda _: self._endings.discard(ending))

    async def _end(self, generation: Generation) -> None:
        with suppress(CancelledError):
            await generation.served.requests.ended()
            await deferLater(self._base.reactor, LINGER)
            self._living.remove(generation)
            await self._close(generation)

    async def _close(self, generation: Generation) -> None:
        """Close the providers of a generation that no other has, and end their threads."""
        used = [one for other in self._living for one in other.providers]
        unused = [
            one for one in reversed(list(generation.providers)) if not any(one is each for each in used)
        ]
        for one in unused:
            one.close()
        for one in unused:
            await self._base.pages.run(one.stop)


def _with_fixed(before: Config, read: Config) -> tuple[Config, Sequence[str]]:
    """Return a configuration with the values that only a restart changes, and the names of those options.

    :raises WrongConfiguration: the new access policy may not be used at the addresses in use.
    """
    known = fields_dict(Config)
    fixed = [option for option in OPTIONS if option.needs_restart and option.field in known]
    kept = {option.field: getattr(before, option.field) for option in fixed}
    names = [option.name for option in fixed if kept[option.field] != getattr(read, option.field)]
    given = {**read.given, **{option.name: before.given.get(option.name, ()) for option in fixed}}
    config = evolve(read, **kept, given=given)
    try:
        values.access_policy(config.access, config.listen)
    except ConfigurationError as error:
        origin = read.given["access"][-1].origin
        raise WrongConfiguration([Problem(origin, str(error))]) from None
    return config, names


def _lines(
    before: Generation, after: Generation, fixed: Sequence[str], has_certificates: bool
) -> Sequence[str]:
    """Return what a reload has changed, for people: a line for each kind of news."""
    old, new = before.config.given, after.config.given
    changed = [
        option.name
        for option in OPTIONS
        if not option.needs_restart and _texts(old.get(option.name)) != _texts(new.get(option.name))
    ]
    lines = [f"changed: {', '.join(changed)}"] if changed else []
    kinds = {"users": after.providers.authenticators, "rights": [after.providers.policy]}
    kinds["upstreams"] = after.providers.upstreams
    known = list(before.providers)
    anew = [
        name for name, made in kinds.items() if any(all(one is not each for each in known) for one in made)
    ]
    if anew:
        lines.append(f"read again: {', '.join(anew)}")
    if has_certificates:
        lines.append("read again: certificates, for new connections")
    lines += [f"{name}: a change needs a restart; the value from the start stays" for name in fixed]
    return lines or ["nothing has changed"]


def _texts(given: Sequence[Given] | None) -> Sequence[str]:
    return [one.text for one in given or ()]

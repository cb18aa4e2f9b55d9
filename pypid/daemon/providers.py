"""The providers that descriptions name, made so that a mistake is reported with its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from pypid.daemon.config import Config, check_names
from pypid.daemon.configuration.origin import Given, Problem, Source, WrongConfiguration
from pypid.daemon.configuration.wording import worded
from pypid.daemon.plugin_loading import Plugins
from pypid.errors import ConfigurationError
from pypid.interfaces import (
    IAccessPolicy,
    IAccessPolicyFactory,
    IAuthenticator,
    IAuthenticatorFactory,
    IContext,
    IUpstream,
    IUpstreamFactory,
)
from pypid.runtime.reactors import IIndexReactor

__all__ = ["Providers", "located", "make_endpoint", "make_listed_endpoint", "make_providers"]

T = TypeVar("T")


@frozen
class Providers:
    """The providers of an index besides its storage."""

    authenticators: Sequence[IAuthenticator]
    """Who knows users, asked in order."""
    policy: IAccessPolicy
    """Who may do what."""
    upstreams: Sequence[IUpstream]
    """Other indexes, asked in order."""


def make_providers(config: Config, plugins: Plugins, context: IContext) -> Providers:
    """Return new providers. Nothing is opened.

    :raises ConfigurationError: a description is wrong; the message has its place.
    """

    def each(kind: Any, option: str, descriptions: Sequence[str]) -> list[Any]:
        return [
            located(config, option, number, text, lambda text: plugins.make(kind, text, context))
            for number, text in enumerate(descriptions)
        ]

    authenticators = each(IAuthenticatorFactory, "auth", config.auth)
    [policy] = each(IAccessPolicyFactory, "access", [config.access])
    upstreams = each(IUpstreamFactory, "upstream", config.upstreams)
    check_names(upstreams)
    return Providers(authenticators, policy, upstreams)


def make_endpoint(config: Config, number: int, reactor: IIndexReactor) -> IStreamServerEndpoint:
    """Return one of the endpoints to listen on. :raises ConfigurationError: its description is wrong."""
    return make_listed_endpoint(config, "listen", number, config.listen[number], reactor)


def make_listed_endpoint(
    config: Config, option: str, number: int, text: str, reactor: IIndexReactor
) -> IStreamServerEndpoint:
    """Return one of the endpoints of an option. :raises ConfigurationError: its description is wrong."""

    def make(description: str) -> IStreamServerEndpoint:
        try:
            endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
        except Exception as error:  # each kind of endpoint has errors of its own
            raise ConfigurationError(f"{description!r} is not a Twisted endpoint: {error}") from error
        return endpoint

    return located(config, option, number, text, make)


def located(config: Config, option: str, number: int, text: str, make: Callable[[str], T]) -> T:
    """Return what ``make`` makes of a description. Relative paths in the file are relative to its directory.

    :param number: which value of the option it is.
    :raises ConfigurationError: ``make`` raised one; the message begins with the place of the description.
    """
    texts = config.given.get(option, ())
    given = texts[number] if number < len(texts) else None
    if given is None:
        return make(text)
    with _inside(given.origin.path.parent if given.origin.path is not None else None):
        try:
            return make(text)
        except ConfigurationError as error:
            if given.origin.source is Source.DEFAULT:
                raise
            origin = given.parts.get(_guilty(given, text, make), given.origin)
            message = worded(str(error), origin.source)
            raise WrongConfiguration([Problem(origin, message)]) from error


def _guilty(given: Given, text: str, make: Callable[[str], object]) -> str:
    """Return the key of a table without which its description would be right, or an empty text."""
    for key in given.parts:
        for part in (f":{key}=", f":{key}"):
            before, found, after = text.partition(part)
            if not found:
                continue
            without = before + _rest(after)
            try:
                make(without)
            except ConfigurationError:
                continue
            return key
    return ""


def _rest(text: str) -> str:
    """Return what follows a value in a description: the next colon without a backslash, and the rest."""
    for place, sign in enumerate(text):
        if sign == ":" and text[place - 1 : place] != "\\":
            return text[place:]
    return ""


@contextmanager
def _inside(directory: Path | None) -> Iterator[None]:
    """Work in a directory for a moment, if there is one that can be entered."""
    if directory is None:
        yield
        return
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(directory)
        try:
            yield
        finally:
            os.fchdir(before)
    finally:
        os.close(before)

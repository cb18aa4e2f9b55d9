"""Descriptions at their places: relative paths begin there, and so do the messages about mistakes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from pypid.daemon.config import Config
from pypid.daemon.configuration.origin import Given, Problem, Source, WrongConfiguration
from pypid.daemon.configuration.wording import worded
from pypid.errors import ConfigurationError
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.watched_file import Version, version_of

__all__ = ["base_of", "located", "make_endpoint", "make_listed_endpoint", "versions_of_files"]

T = TypeVar("T")

_SEPARATOR = re.compile(r"(?<!\\)[:=,]")
_LONGEST = 4096
"""The most characters of a description in which files are looked for."""


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
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigurationError(f"{description!r} is not a Twisted endpoint: {reason}") from error
        return endpoint

    return located(config, option, number, text, make)


def located(config: Config, option: str, number: int, text: str, make: Callable[[str], T]) -> T:
    """Return what ``make`` makes of a description.

    While it is called, the working directory is the one at which relative paths begin.

    :param number: which value of the option it is.
    :raises ConfigurationError: ``make`` raised one; the message begins with the place of the description.
    """
    given = _given(config, option, number)
    if given is None:
        return make(text)
    with _inside(given.base):
        try:
            return make(text)
        except ConfigurationError as error:
            if given.origin.source is Source.DEFAULT:
                raise
            origin = given.parts.get(_guilty(given, text, make), given.origin)
            message = worded(str(error), origin.source)
            raise WrongConfiguration([Problem(origin, message)]) from error


def base_of(config: Config, option: str, number: int) -> Path:
    """Return the directory at which relative paths in a description begin."""
    given = _given(config, option, number)
    return given.base if given is not None and given.base is not None else Path.cwd()


def versions_of_files(description: str, base: Path) -> Mapping[Path, Version | None]:
    """Return the version of each regular file that a description names. Blocks briefly."""
    versions = {}
    for part in _SEPARATOR.split(description[:_LONGEST]):
        path = base / part.replace("\\:", ":")
        try:
            if part and stat.S_ISREG(path.stat().st_mode):
                versions[path] = version_of(path)
        except (OSError, ValueError):  # it is no name of a file, or that file cannot be looked at
            continue
    return versions


def _given(config: Config, option: str, number: int) -> Given | None:
    texts = config.given.get(option, ())
    return texts[number] if number < len(texts) else None


def _guilty(given: Given, text: str, make: Callable[[str], object]) -> str:
    """Return the key of a table without which its description would be right, or an empty text."""
    for key in given.parts:
        for part in (f":{key}=", f":{key}"):
            before, found, after = text.partition(part)
            if found and _is_right(before + _rest(after), make):
                return key
    return ""


def _is_right(text: str, make: Callable[[str], object]) -> bool:
    try:
        make(text)
    except ConfigurationError:
        return False
    return True


def _rest(text: str) -> str:
    """Return what follows a value in a description: the next colon without a backslash, and the rest."""
    for place, sign in enumerate(text):
        if sign == ":" and text[place - 1 : place] != "\\":
            return text[place:]
    return ""


@contextmanager
def _inside(directory: Path | None) -> Iterator[None]:
    """Work in a directory for a moment, if this process may enter it. No other code uses relative paths."""
    if directory is None:
        yield
        return
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a path that is not relative needs no directory
            os.chdir(directory)
        try:
            yield
        finally:
            os.fchdir(before)
    finally:
        os.close(before)

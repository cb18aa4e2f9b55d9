"""The values of all options, from flags, variables, the file and the defaults."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from attrs import field, frozen

from pypid.daemon.configuration.option import Option
from pypid.daemon.configuration.origin import Given, Origin, Problem, Source, WrongConfiguration
from pypid.daemon.configuration.schema import BY_NAME, OPTIONS
from pypid.daemon.configuration.tables import TableError, description
from pypid.daemon.configuration.toml_file import Document, read
from pypid.daemon.configuration.toml_positions import KeyPath
from pypid.daemon.configuration.wording import worded
from pypid.daemon.plugin_loading import Plugins, load_plugins
from pypid.errors import ConfigurationError
from pypid.runtime.layout import Layout

__all__ = ["Settings", "gather"]

PREFIX = "PYPID_"
_NEAR = 0.8
"""How similar a variable's name must be to that of an option to be taken for a mistyped one."""


@frozen
class Settings:
    """The values of all options, as texts and as what they mean."""

    root: Path | None
    """The root directory, absolute; ``None`` if nothing names one."""
    file: Path | None
    """The configuration file, if there is one."""
    given: Mapping[str, Sequence[Given]]
    """The texts of each option that has any, by its name. The defaults are among them."""
    values: Mapping[str, Sequence[Any]] = field(repr=False)
    """The parsed values of these options, by name."""

    def one(self, name: str) -> Any:
        """Return the value of an option that has one, or ``None``."""
        values = self.values.get(name, ())
        return values[-1] if values else None

    def all(self, name: str) -> list[Any]:
        """Return the values of a repeatable option."""
        return list(self.values.get(name, ()))

    def texts(self, name: str) -> Sequence[Given]:
        """Return the texts of an option with their places."""
        return self.given.get(name, ())


def gather(
    flags: Sequence[tuple[str, str]],
    environment: Mapping[str, str],
    plugins: Callable[[], Plugins] = load_plugins,
    file: Path | None = None,
    directory: Path | None = None,
) -> Settings:
    """Return the values of all options. Reads the configuration file, if there is one. Blocks.

    :param flags: name and value of each flag, in their order.
    :param environment: the environment variables.
    :param plugins: loads the plugins, if a table describes one.
    :param file: the configuration file, if it is known already.
    :param directory: the working directory in which the flags were written, if it is no more the present one.
    :raises WrongConfiguration: there are mistakes; it has all of them.
    """
    problems: list[Problem] = []
    directory = directory or Path.cwd()
    levels = [_of_flags(flags, directory), _of_variables(environment, directory, problems)]
    path = file or _file(levels)
    if path is not None:
        levels.append(_of_document(read(path), plugins, problems))
    root = _path(levels, "root")
    given: dict[str, Sequence[Given]] = {}
    for option in OPTIONS:
        texts = next((level[option.name] for level in levels if level.get(option.name)), None)
        if texts is None and (root is not None or not option.default):
            texts = [
                Given(text, Origin(Source.DEFAULT, option.name)) for text in option.defaults(root or Path())
            ]
        if texts:
            given[option.name] = texts
    values = {name: _parsed(BY_NAME[name], texts, problems) for name, texts in given.items()}
    if problems:
        raise WrongConfiguration(sorted(problems, key=lambda problem: problem.origin.line))
    return Settings(root, path, given, values)


_Level = dict[str, list[Given]]


def _of_flags(flags: Iterable[tuple[str, str]], directory: Path) -> _Level:
    level: _Level = {}
    for name, text in flags:
        _add(level, BY_NAME[name], text, Origin(Source.FLAG, f"--{name}"), directory)
    return level


def _of_variables(environment: Mapping[str, str], directory: Path, problems: list[Problem]) -> _Level:
    """Return the values in variables. A variable that is almost of an option's name is a problem."""
    level: _Level = {}
    known = {option.variable: option for option in OPTIONS}
    for variable, text in environment.items():
        origin = Origin(Source.VARIABLE, variable)
        if variable in known:
            option = known[variable]
            # Kubernetes sets PYPID_PORT=tcp://... in every container, if a service is called pypid.
            if not text or (option.name == "port" and "://" in text):
                continue
            try:
                words = shlex.split(text) if option.is_repeatable else [text]
            except ValueError:
                problems.append(Problem(origin, "a quotation mark is not closed"))
                continue
            for word in words:
                _add(level, option, word, origin, directory)
        elif variable.startswith(PREFIX):
            names = {one.removeprefix(PREFIX): one for one in known}
            close = get_close_matches(variable.removeprefix(PREFIX), names, n=1, cutoff=_NEAR)
            if close:
                problems.append(Problem(origin, f"there is no such option; did you mean {names[close[0]]}?"))
    return level


def _of_document(document: Document, plugins: Callable[[], Plugins], problems: list[Problem]) -> _Level:
    level: _Level = {}
    known = {option.name: option for option in OPTIONS if option.is_in_file}
    for key, value in document.data.items():
        option = known.get(key)
        if option is None:
            problems.append(Problem(document.origin(key), _unknown(key, known)))
            continue
        if isinstance(value, list) and not option.is_repeatable:
            message = f"one value, and not a list: {key} = {_example(option)}"
            problems.append(Problem(document.origin(key), message))
            continue
        if value == [] and option.default:
            more = "leave the key out for the default, or say what is to be instead of it"
            problems.append(Problem(document.origin(key), f"an empty list sets nothing: {more}"))
        for place, item in _items(key, value):
            try:
                text = _text(option, item, plugins)
            except TableError as error:
                inner = (*place, error.key) if error.key else place
                problems.append(Problem(document.origin(*inner), str(error)))
                continue
            parts = {each: document.origin(*place, each) for each in item} if isinstance(item, dict) else {}
            _add(level, option, text, document.origin(*place), document.path.parent, parts)
    return level


def _items(key: str, value: Any) -> list[tuple[KeyPath, Any]]:
    """Return the values of a key, each with its path."""
    if isinstance(value, list):
        return [((key, number), item) for number, item in enumerate(value)]
    return [((key,), value)]


def _text(option: Option, value: Any, plugins: Callable[[], Plugins]) -> str:
    """Return one value of the file as a flag would have it. :raises TableError: it is of a wrong type."""
    if isinstance(value, dict) and option.factory is not None:
        return description(value, plugins().formats(option.factory))
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        if option.is_switch:
            return "on" if value else "off"
    elif isinstance(value, int) and option.is_number:
        return str(value)
    raise TableError(f"{_type(value)} cannot stand here: {option.name} = {_example(option)}")


def _type(value: Any) -> str:
    """Return the name of a value's type for people."""
    names = {dict: "a table", list: "a list within a list", bool: "true or false", int: "a number"}
    more = {float: "a number with a point", datetime: "a date", date: "a date"}
    return (names | more).get(type(value), "such a value")


def _example(option: Option) -> str:
    """Return a value of an option, as TOML."""
    if option.example:
        return option.example
    if option.is_number and option.shown_default.isdecimal():
        return option.shown_default
    text = f'"{option.shown_default.partition(", ")[0]}"' if option.default else f'"{option.metavar}"'
    return text if not option.is_repeatable else f"[{text}]"


def _unknown(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key.lower().replace("_", "-"), known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else "`pypid config sample` has all"
    return f"there is no such key; {hint}"


def _file(levels: Sequence[_Level]) -> Path | None:
    """Return the configuration file: the one that is named, or else that of the root, if it is there."""
    named, root = _path(levels, "config"), _path(levels, "root")
    if named is not None or root is None:
        return named
    path = Layout(root).configuration
    return path if path.exists() else None


def _path(levels: Sequence[_Level], name: str) -> Path | None:
    """Return the absolute path that an option has."""
    given = next((level[name][-1] for level in levels if name in level), None)
    return (given.base or Path.cwd()) / given.text if given is not None else None


def _add(
    level: _Level,
    option: Option,
    text: str,
    origin: Origin,
    base: Path,
    parts: Mapping[str, Origin] | None = None,
) -> None:
    """Add a value to an option, or to the one that the option is another way to write."""
    given = Given(text, origin, option.name if option.target else "", base, parts or {})
    level.setdefault(option.target or option.name, []).append(given)


def _parsed(option: Option, texts: Sequence[Given], problems: list[Problem]) -> tuple[Any, ...]:
    values = []
    for given in texts:
        try:
            values.append((BY_NAME[given.alias] if given.alias else option).parse(given.text))
        except ConfigurationError as error:
            problems.append(Problem(given.origin, worded(str(error), given.origin.source)))
    return tuple(values)

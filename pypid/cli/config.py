"""The verbs ``config`` and ``reload``: check, show and explain the configuration, and have it read again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import click

from pypid.cli.open_index import CommandContext, IndexOptions
from pypid.daemon.config import Config
from pypid.daemon.configuration.combination import config_of
from pypid.daemon.configuration.masking import masked
from pypid.daemon.configuration.origin import Given, Origin, Source, WrongConfiguration
from pypid.daemon.configuration.reference import reference as page
from pypid.daemon.configuration.sample import sample as file_with_every_key
from pypid.daemon.configuration.schema import OPTIONS
from pypid.daemon.configuration.settings import Settings, gather
from pypid.daemon.control_client import ask_daemons
from pypid.daemon.descriptions import located, make_endpoint
from pypid.daemon.plugin_loading import load_plugins
from pypid.daemon.providers import make_providers
from pypid.errors import CannotStart, ConfigurationError
from pypid.interfaces import IStorageFactory
from pypid.runtime.reactors import global_reactor

__all__ = ["config", "reload", "gathered"]

WRONG = 2
"""The exit status if the configuration is wrong."""

_flags = click.argument("flags", nargs=-1, type=click.UNPROCESSED, metavar="[DAEMON OPTIONS...]")
_of_daemon = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group(short_help="Check, show and explain the configuration.")
def config() -> None:
    """Check, show and explain the configuration of the daemon: flags, variables and file."""


@config.command(short_help="Look for mistakes.", context_settings=_of_daemon)
@_flags
@click.pass_obj
def check(index: IndexOptions, flags: Sequence[str]) -> None:
    """Name each mistake: its place, what is wrong, and what would be right. Ends with 2 if there is one."""
    try:
        settings = gathered(index, flags)
        _check_descriptions(config_of(settings))
    except WrongConfiguration as error:
        for problem in error.problems:
            click.echo(f"pypid: {problem}", err=True)
        click.get_current_context().exit(WRONG)
    except ConfigurationError as error:
        click.echo(f"pypid: {error}", err=True)
        click.get_current_context().exit(WRONG)
    where = settings.file or "no file, and that is fine"
    click.echo(f"the configuration is right: {where}")


@config.command(short_help="Print each value, and where it comes from.", context_settings=_of_daemon)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
@_flags
@click.pass_obj
def show(index: IndexOptions, as_json: bool, flags: Sequence[str]) -> None:
    """Print each option's values, each with the place that set it. Secrets are masked."""
    try:
        settings = gathered(index, flags)
    except WrongConfiguration as error:
        click.echo(f"pypid: {error}", err=True)
        click.get_current_context().exit(WRONG)
    rows = _rows(settings)
    if as_json:
        keys = ("option", "value", "source", "place")
        click.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    names, values = (max(len(row[place]) for row in rows) for place in (0, 1))
    for name, value, _, place in rows:
        click.echo(f"{name:{names}}  {value:{min(values, 60)}}  {place}")


@config.command(short_help="Print a file with every key.")
def sample() -> None:
    """Print a configuration file with every key, each with its default or an example, commented out."""
    click.echo(file_with_every_key(), nl=False)


@config.command(short_help="Print the page of the manual.")
def reference() -> None:
    """Print docs/configuration.md, the page of the manual about all options."""
    click.echo(page(), nl=False)


@click.command(short_help="Have the daemon read its configuration again.")
@click.pass_obj
def reload(index: IndexOptions) -> None:
    """Have the daemon read its configuration again, and print what has changed.

    Users, rights, upstreams, reserved names, limits and TLS files take effect at once, and no request is
    dropped. If anything is wrong, nothing changes, and the command ends with 1.
    """
    try:
        answers = ask_daemons(index.layout.control, "reload")
    except WrongConfiguration as error:  # it may name the root
        answers = [(False, [str(problem) for problem in error.problems])]
    if not answers:
        raise CannotStart(f"no daemon runs on {index.path}, or it is one of another machine")
    for is_done, lines in answers:
        for line in lines:
            click.echo(line if is_done else f"pypid: {line}", err=not is_done)
        if not is_done:
            click.echo("pypid: nothing was changed; the daemon goes on with what it had", err=True)
    click.get_current_context().exit(0 if all(is_done for is_done, _ in answers) else 1)


def _rows(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Return option, value, kind of place and place of each value."""
    rows = []
    for option in OPTIONS:
        if option.target:
            continue
        texts = settings.texts(option.name) or [Given("-", Origin(Source.DEFAULT))]
        if option.name == "config" and settings.file is not None:
            texts = [Given(str(settings.file), texts[0].origin)]
        for given in texts:
            rows.append((option.name, masked(given.text), given.origin.source.value, str(given.origin)))
    return rows


def gathered(index: IndexOptions, words: Sequence[str]) -> Settings:
    """Return the settings that the daemon would have with some words on its command line."""
    from pypid.tap import Options

    class Flags(Options):
        """The flags alone."""

        help_command = "pypid serve --help"

        def postOptions(self) -> None:
            """Leave the validation to :func:`gather`."""

    flags = Flags()
    try:
        flags.parseOptions(list(words))
    except CannotStart as error:
        raise ConfigurationError(str(error).removeprefix("pypid: ")) from None
    return gather([*index.flags, *flags.flags], os.environ)


def _check_descriptions(config: Config) -> None:
    """Make what the descriptions name, without opening anything, and list all mistakes.

    :raises WrongConfiguration: there are some.
    """
    plugins, context = load_plugins(), CommandContext(config.root)

    def storage(text: str) -> Any:
        return plugins.make(IStorageFactory, text, context)

    located(config, "storage", 0, config.storage, storage)
    for number in range(len(config.listen)):
        make_endpoint(config, number, global_reactor())
    make_providers(config, plugins, lambda: context)

"""``twistd pypid`` and ``twist pypid``: the options, and the service made from them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.app import ServerOptions
from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from pypid import __version__
from pypid.daemon.config import Config
from pypid.daemon.configuration.option import Option
from pypid.daemon.configuration.option_hints import option_hint
from pypid.daemon.configuration.schema import OPTIONS
from pypid.daemon.configuration.source import Flags
from pypid.daemon.log_destination import choose
from pypid.daemon.plugin_loading import load_plugins
from pypid.daemon.service import make_daemon
from pypid.errors import CannotStart, ConfigurationError, PypidError
from pypid.interfaces import IFactory
from pypid.runtime.reactors import global_reactor

__all__ = ["Options", "makeService"]


class Options(BaseOptions):
    """The command line, validated as far as is possible without opening anything but the file.

    Its flags are those of :mod:`pypid.daemon.configuration.schema`.
    """

    synopsis = "[options]"
    longdesc = (
        "Serves a Python package index: publishes what is uploaded to it, and fetches"
        " everything else from an upstream index, PyPI by default, keeping what was asked for."
        " Each option may also stand in the configuration file, or in a variable such as PYPID_MAX_UPLOAD;"
        " a flag beats the variable, the variable the file."
    )
    compData = None
    help_command = "twistd pypid --help"
    """The command that shows all options, for error messages."""

    def __init__(self) -> None:
        self.flags: list[tuple[str, str]] = []
        """Name and value of each flag, in their order."""
        self.source: Flags
        """The same, with all else that the configuration is read from."""
        self._config: Config | None = None
        super().__init__()

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line.

        :raises CannotStart: an option is wrong; the message is one line, without the usage.
        """
        try:
            super().parseOptions(options)
        except UsageError as error:
            hint = option_hint(str(error), [name.rstrip("=") for name in self.longOpt])
            raise CannotStart(f"pypid: {error}{hint}; see `{self.help_command}`") from None

    def opt_version(self) -> None:
        """Show the version, and exit."""
        print(f"pypid {__version__}")
        sys.exit(0)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments that are not options."""
        if arguments:
            hint = f"write --root {shlex.quote(arguments[0])} if it is the directory to serve"
            raise CannotStart(f"pypid: {arguments[0]!r} is one argument too many: {hint}")

    def postOptions(self) -> None:
        """Read variables and the configuration file, and validate everything."""
        try:
            self.source = Flags(self.flags, os.environ, Path.cwd())
            self._config = self.source.read()
        except ConfigurationError as error:
            raise CannotStart(f"pypid: {error}") from None
        parent = self.parent
        if isinstance(parent, ServerOptions) and not parent.get("logger") and not parent.get("syslog"):
            parent["logger"] = choose(parent, self._config.log_format, self._config.log_level)

    def config(self) -> Config:
        """Return the configuration. :raises CannotStart: no options were parsed yet."""
        if self._config is None:
            raise CannotStart("pypid: the options have not been parsed")
        return self._config


def makeService(options: Options) -> IService:
    """Return the daemon. Nothing is opened yet, because this may run as root, and before a fork."""
    try:
        daemon: IService = make_daemon(options.source, options.config(), load_plugins(), global_reactor())
    except ConfigurationError as error:
        raise CannotStart(f"pypid: {error}") from error
    return daemon


def _flag(option: Option) -> Callable[[Options, str], None]:
    """Return the method that takes the value of a flag."""

    def take(self: Options, value: str) -> None:
        self.flags.append((option.name, value))

    default = f" [default: {option.shown_default}]" if option.shown_default else ""
    more = "; may be repeated" if option.is_repeatable else ""
    take.__doc__ = f"{option.summary.removesuffix('.')}{more}{default}."
    return take


def _help(option: Option, factory: type[IFactory]) -> Callable[[Options], None]:
    """Return the method that lists the plugins which an option may describe."""

    def show(self: Options) -> None:  # noqa: ARG001
        try:
            print(load_plugins().help(factory))
        except PypidError as error:
            raise CannotStart(f"pypid: {error}") from error
        sys.exit(0)

    show.__doc__ = f"Show what may be said of --{option.name}, and exit."
    return show


for _option in OPTIONS:
    _method: Any = _flag(_option)
    setattr(Options, f"opt_{_option.name.replace('-', '_')}", _method)
for _option in OPTIONS:
    if _option.factory is not None:
        setattr(Options, f"opt_help_{_option.name.replace('-', '_')}", _help(_option, _option.factory))

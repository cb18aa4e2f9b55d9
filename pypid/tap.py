"""``twistd pypid`` and ``twist pypid``: the options, and the service made from them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from twisted.application.service import IService
from twisted.python.usage import Options as BaseOptions
from twisted.python.usage import UsageError

from pypid import __version__
from pypid.daemon import config, shorthands
from pypid.daemon.assembly import default_storage
from pypid.daemon.attestation_verifier import signers
from pypid.daemon.config import Config
from pypid.daemon.option_hints import option_hint
from pypid.daemon.plugin_loading import load_plugins
from pypid.daemon.service import make_daemon
from pypid.errors import CannotStart, ConfigurationError, PypidError
from pypid.interfaces import (
    IAccessPolicyFactory,
    IAuthenticatorFactory,
    IFactory,
    IStorageFactory,
    IUpstreamFactory,
)
from pypid.runtime.layout import Layout
from pypid.web.http.forwarded import TrustedProxies

__all__ = ["Options", "makeService"]

T = TypeVar("T")


class Options(BaseOptions):
    """The command line, validated as far as is possible without opening anything."""

    synopsis = "[options]"
    longdesc = (
        "Serves a Python package index: publishes what is uploaded to it, and fetches"
        " everything else from an upstream index, PyPI by default, keeping what was asked for."
    )
    optParameters = [  # noqa: RUF012
        ["root", None, None, "The directory of the index, made if it is missing. Required."],
        ["storage", None, None, "Where files are kept. [default: directory:ROOT]"],
        ["access", None, "open", "Who may do what: open, private, anyone or rules:FILE; see --help-access."],
        ["public-url", None, None, "The URL that clients use, if a proxy stands in front."],
        ["realm", None, config.DEFAULT_REALM, "What users sign in to, as their clients may show it."],
        ["uploads", None, "permissive", "How uploads are checked: permissive or strict (as PyPI)."],
        ["attestations", None, "store", "What to do with attestations: store, or verify:WHO (see the docs)."],
        [
            "keep-alive",
            None,
            config.DEFAULT_KEEP_ALIVE,
            "Seconds that a connection waits for its next request.",
        ],
        ["max-upload", None, config.DEFAULT_MAX_UPLOAD, "The largest upload taken, such as 500M or 2GiB."],
    ]
    compData = None
    help_command = "twistd pypid --help"
    """The command that shows all options, for error messages."""

    def __init__(self) -> None:
        super().__init__()
        self["listen"], self["auth"], self["upstream"], self["reserve"] = [], [], [], []
        self["overwrite"], self["old-archives"] = [], frozenset()
        self["trust-proxy"] = []

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

    def opt_listen(self, endpoint: str) -> None:
        """Where to listen: 127.0.0.1:8080 or a Twisted endpoint; repeatable [default: 127.0.0.1:8080]."""
        self["listen"].append(_validated("--listen", shorthands.endpoint, endpoint))

    def opt_port(self, port: str) -> None:
        """The port, for this machine alone: short for --listen 127.0.0.1:PORT."""
        self["listen"].append(_validated("--port", config.port, port))

    def opt_auth(self, description: str) -> None:
        """How users sign in, may be repeated [default: tokens:ROOT/tokens, htpasswd:ROOT/htpasswd]."""
        self["auth"].append(shorthands.authenticator(description))

    def opt_upstream(self, description: str) -> None:
        """An index to look in for what is not here, or none; may be repeated [default: proxy of PyPI]."""
        self["upstream"].append(_validated("--upstream", shorthands.upstream, description))

    def opt_reserve(self, pattern: str) -> None:
        """Project names that are never asked for upstream, such as acme-*; may be repeated."""
        self["reserve"].append(_validated("--reserve", config.reserved, pattern))

    def opt_trust_proxy(self, address: str) -> None:
        """Address or network of a proxy whose X-Forwarded-For is believed, or unix; may be repeated."""
        self["trust-proxy"].append(_validated("--trust-proxy", config.proxy_address, address))

    def opt_old_archives(self, suffixes: str) -> None:
        """Old kinds of archives to take besides .whl and .tar.gz, such as egg,zip,exe [default: none]."""
        self["old-archives"] |= _validated("--old-archives", config.old_archives, suffixes)

    def opt_overwrite(self, pattern: str) -> None:
        """Versions whose files uploads may replace, such as *.dev*; may be repeated [default: none]."""
        self["overwrite"].append(_validated("--overwrite", config.version_pattern, pattern))

    def opt_help_access(self) -> None:
        """Show the access policies that are installed, and exit."""
        _show(IAccessPolicyFactory)

    def opt_help_storage(self) -> None:
        """Show the kinds of storage that are installed, and exit."""
        _show(IStorageFactory)

    def opt_help_auth(self) -> None:
        """Show the ways to sign in that are installed, and exit."""
        _show(IAuthenticatorFactory)

    def opt_help_upstream(self) -> None:
        """Show the kinds of upstream that are installed, and exit."""
        _show(IUpstreamFactory)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse arguments that are not options."""
        if arguments:
            hint = f"write --root {shlex.quote(arguments[0])} if it is the directory to serve"
            raise CannotStart(f"pypid: {arguments[0]!r} is one argument too many: {hint}")

    def postOptions(self) -> None:
        """Validate the options."""
        if not self["root"]:
            raise CannotStart(
                "pypid: --root is missing; say which directory to serve, as in --root /var/pypi"
            )
        self["storage"] = shorthands.storage(self["storage"]) if self["storage"] else None
        self["access"] = shorthands.access(self["access"])
        self["root"] = Path(self["root"]).absolute()
        listen = self["listen"] or [config.DEFAULT_LISTEN]
        self["access"] = _validated(
            "--access", lambda access: config.access_policy(access, listen), self["access"]
        )
        self["attestations"] = _validated("--attestations", signers, self["attestations"])
        self["realm"] = _validated("--realm", config.realm, self["realm"])
        self["keep-alive"] = _validated("--keep-alive", config.keep_alive, self["keep-alive"])
        self["max-upload"] = _validated("--max-upload", config.size, self["max-upload"])
        archives, overwrite = self["old-archives"], self["overwrite"]
        self["rules"] = _validated(
            "--uploads", lambda level: config.upload_rules(level, archives, overwrite), self["uploads"]
        )
        if self["public-url"] is not None:
            self["public-url"] = _validated("--public-url", config.public_url, self["public-url"])

    def config(self) -> Config:
        """Return the configuration: these options, and the defaults for the others."""
        root: Path = self["root"]
        # Tokens come first: checking a password against the tokens is cheap, while checking a token against
        # the password file would cost a bcrypt hash.
        layout = Layout(root)
        default_auth = [f"tokens:{layout.tokens}", f"htpasswd:{layout.users}:optional"]
        return Config(
            root=root,
            listen=self["listen"] or [config.DEFAULT_LISTEN],
            storage=self["storage"] or default_storage(root),
            auth=self["auth"] or default_auth,
            access=self["access"],
            upstreams=self["upstream"] or [f"proxy:{config.DEFAULT_UPSTREAM_URL}"],
            reserved=self["reserve"],
            public_url=self["public-url"],
            max_upload=self["max-upload"],
            uploads=self["rules"],
            signers=self["attestations"],
            realm=self["realm"],
            keep_alive=self["keep-alive"],
            proxies=TrustedProxies.of(self["trust-proxy"]),
        )


def makeService(options: Options) -> IService:
    """Return the daemon. Nothing is opened yet, because this may run as root, and before a fork."""
    from twisted.internet import reactor

    try:
        daemon: IService = make_daemon(options.config(), load_plugins(), reactor)
    except ConfigurationError as error:
        raise CannotStart(f"pypid: {error}") from error
    return daemon


def _validated(option: str, validate: Callable[[str], T], text: str) -> T:
    """Return the validated value of an option.

    :raises CannotStart: the value is wrong; the message is one line, without the usage.
    """
    try:
        return validate(text)
    except ConfigurationError as error:
        raise CannotStart(f"pypid: {option}: {error}") from None


def _show(kind: type[IFactory]) -> None:
    try:
        print(load_plugins().help(kind))
    except PypidError as error:
        raise CannotStart(f"pypid: {error}") from error
    sys.exit(0)

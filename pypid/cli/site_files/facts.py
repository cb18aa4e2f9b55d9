"""The facts that the files of other programs have to agree with the daemon about."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from pypid.daemon.configuration.origin import Source
from pypid.daemon.configuration.schema import OPTIONS
from pypid.daemon.configuration.settings import Settings
from pypid.errors import ConfigurationError

__all__ = ["Facts", "facts_of"]

_WORD = re.compile(r"[A-Za-z0-9._/+@:=,*?!~\[\]-]+")
"""Words that no shell, unit or configuration file gives another meaning to."""
_TCP = re.compile(r"tcp[46]?:(?P<port>[0-9]+)(?::interface=(?P<host>[^=]*))?")
_FROM_UNITS = {"config", "root", "listen", "port"}
"""Options that the files have in places of their own."""


@frozen(kw_only=True)
class Facts:
    """An installation. The defaults are those of the files in ``etc/``."""

    twistd: str = "/opt/pypid/bin/twistd"
    """The absolute path of the program ``twistd``."""
    pypid: str = "/opt/pypid/bin/pypid"
    """The absolute path of the command."""
    root: str = "/var/pypi"
    """The absolute path of the root directory."""
    user: str = "pypid"
    """The user that the daemon runs as; its group has the same name."""
    config: str = ""
    """The absolute path of the configuration file, if it is not the one in the root directory."""
    options: Sequence[str] = ()
    """More words for the daemon's command line: the flags and variables that are set."""
    host: str = "127.0.0.1"
    """The address that the daemon listens on."""
    port: int = 8080
    """The port that the daemon listens on."""
    public_url: str = "https://packages.example.org/"
    """The URL that clients use."""
    offload: str = ""
    """How files are handed over to the web server, if they are."""
    is_new_systemd: bool = False
    """Whether systemd is of version 253 or newer, which knows ``Type=notify-reload``."""

    @property
    def secure(self) -> bool:
        """Whether clients use TLS."""
        return self.public_url.startswith("https:")

    @property
    def server(self) -> str:
        """The host name that clients use."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def public_port(self) -> int:
        """The port that clients use."""
        return urlsplit(self.public_url).port or (443 if self.secure else 80)

    @property
    def prefix(self) -> str:
        """The path that clients use, with slashes around it; a single slash if there is none."""
        return urlsplit(self.public_url).path

    @property
    def backend(self) -> str:
        """The address and port by which a program on this machine reaches the daemon."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def listen(self) -> str:
        """The address and port that the daemon listens on."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The Twisted description of what the daemon listens on."""
        return f"tcp:{self.port}:interface={self.host.replace(':', chr(92) + ':')}"

    @property
    def index(self) -> str:
        """The words that select the index, as the daemon and the command take them."""
        return f"--config {self.config}" if self.config else f"--root {self.root}"

    @property
    def accelerated(self) -> str:
        """The path of nginx's internal location."""
        kind, _, prefix = self.offload.partition(":")
        return prefix if kind == "nginx" else "/pypid-files/"


def facts_of(settings: Settings) -> Facts:
    """Return the facts of a configuration and of this installation.

    :raises ConfigurationError: there is no root, or something that the files cannot express.
    """
    if settings.root is None:
        raise ConfigurationError("--root is missing; say which index it is, as in --root /var/pypi")
    listening = settings.all("listen")
    match = _TCP.fullmatch(listening[0]) if len(listening) == 1 else None
    if match is None and not all(text.startswith("systemd:") for text in listening):
        raise ConfigurationError(
            "the files are for a daemon that listens on one TCP address: write --listen 127.0.0.1:8080"
        )
    usual = Facts()
    is_own_file = settings.file is not None and settings.file == settings.root / "pypid.toml"
    facts = Facts(
        twistd=_program("twistd"),
        pypid=_program("pypid"),
        root=str(settings.root),
        user=_owner(settings.root) or usual.user,
        config=str(settings.file) if settings.file is not None and not is_own_file else "",
        options=tuple(_options(settings)),
        host=(match["host"] or "0.0.0.0").replace("\\", "") if match else usual.host,  # noqa: S104
        port=int(match["port"]) if match else usual.port,
        public_url=settings.one("public-url") or usual.public_url,
        offload=settings.one("offload") or "",
        is_new_systemd=_is_new_systemd(),
    )
    for text in (facts.twistd, facts.pypid, facts.root, facts.config, *facts.options):
        if text and _WORD.fullmatch(text) is None:
            raise ConfigurationError(
                f"{text!r} has a blank or another character that some of the files cannot hold: choose"
                " another path, or write the option into the configuration file"
            )
    return facts


def _options(settings: Settings) -> Iterator[str]:
    """Yield the words for what flags and variables set; the file is read by the daemon itself."""
    for option in OPTIONS:
        if option.name in _FROM_UNITS or option.target:
            continue
        for given in settings.texts(option.name):
            if given.origin.source in (Source.FLAG, Source.VARIABLE):
                yield f"--{option.name}"
                yield given.text


def _program(name: str) -> str:
    """Return the absolute path of a program that is installed with this one."""
    for directory in (Path(sys.executable).absolute().parent, Path(sysconfig.get_path("scripts"))):
        if os.access(directory / name, os.X_OK):
            return str(directory / name)
    return str(Path(sys.executable).absolute().parent / name)


def _owner(root: Path) -> str | None:
    """Return the name of a directory's owner, unless it is root, or there is none."""
    try:
        uid = root.stat().st_uid
        return pwd.getpwuid(uid).pw_name if uid else None
    except (OSError, KeyError):
        return None


def _is_new_systemd() -> bool:
    """Return whether the systemd of this machine is of version 253 or newer."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return False
    try:
        said = subprocess.run(  # noqa: S603  a program of the system
            [systemctl, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"systemd ([0-9]+)", said.stdout)
    return found is not None and int(found[1]) >= 253

"""Shorthands for descriptions ``prefix:argument``, such as a bare path or URL.

Each function returns a description. A text that is, or may be, a description already is returned
unchanged, so that a plugin of any prefix gets its argument as written.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

from pypid.errors import ConfigurationError

__all__ = ["access", "authenticator", "endpoint", "storage", "upstream"]

MAX_PORT = 65535
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.*-]*)):(?P<port>[0-9]{1,5})/?")
_IS_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?(/|$)")
_IS_URL = re.compile(r"https?://", re.IGNORECASE)


def endpoint(text: str) -> str:
    """Return the Twisted description of an endpoint to listen on.

    A bare port means that port of the loopback address. A ``unix:`` socket without a mode gets 660,
    because Twisted's default, 666, is open to every user of the machine.

    :raises ConfigurationError: the text looks like an address or a port, but is ambiguous or wrong.
    """
    if text.startswith(("/", "./", "../")):
        text = f"unix:{_escaped(text)}"
    if text.startswith("unix:"):
        return text if ":mode=" in text else f"{text}:mode=660"
    if text.isdecimal():
        return _tcp(text, "127.0.0.1", text)
    if _IS_URL.match(text):
        _, _, rest = text.partition("://")
        raise ConfigurationError(f"{text!r} is a URL: write an address, as in --listen {rest.rstrip('/')}")
    match = _ADDRESS.fullmatch(text)
    if match is None or match["host"] in ("tcp", "tcp4", "tcp6"):
        return text
    port, host = match["port"], match["v6"] or match["host"]
    if not host:
        raise ConfigurationError(
            f"{text!r} does not say for whom: write --listen 127.0.0.1:{port} for this machine alone,"
            f" or --listen 0.0.0.0:{port} for every machine that can reach it"
        )
    try:
        address = str(ip_address({"localhost": "127.0.0.1", "*": "0.0.0.0"}.get(host, host)))  # noqa: S104
    except ValueError:
        if "." not in host:  # it may be the kind of endpoint of a Twisted plugin
            return text
        raise ConfigurationError(
            f"{text!r} names no address of this machine: write --listen 0.0.0.0:{port} for all that it has"
        ) from None
    return _tcp(port, address, text)


def upstream(text: str) -> str:
    """Return the description of an upstream; a bare URL means ``proxy:URL``.

    :raises ConfigurationError: the text is a host without a scheme.
    """
    if _IS_HOST.match(text):
        raise ConfigurationError(f"{text!r} is no URL: write --upstream https://{text}")
    return f"proxy:{text}" if _IS_URL.match(text) else text


def authenticator(text: str) -> str:
    """Return the description of an authenticator; a bare path means ``htpasswd:FILE``."""
    return f"htpasswd:{text}" if _is_path(text) else text


def access(text: str) -> str:
    """Return the description of an access policy; a bare path means ``rules:FILE``."""
    return f"rules:{text}" if _is_path(text) or (":" not in text and text.endswith(".toml")) else text


def storage(text: str) -> str:
    """Return the description of a storage; a bare path means ``directory:DIR``."""
    return f"directory:{text}" if _is_path(text) else text


def _tcp(port: str, address: str, text: str) -> str:
    if int(port) > MAX_PORT:
        raise ConfigurationError(f"{text!r} has no port: they go up to {MAX_PORT}")
    return f"tcp:{int(port)}:interface={_escaped(address)}"


def _is_path(text: str) -> bool:
    """True if a text can only be a path; a name without a slash counts only if the file exists."""
    if text.startswith(("/", "./", "../")):
        return True
    return ":" not in text and ("/" in text or ("." in text and Path(text).exists()))


def _escaped(text: str) -> str:
    return text.replace(":", "\\:")

"""The host names under which this server is asked for, and the refusal of all others."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import frozen

from pypid.errors import ConfigurationError

__all__ = ["HostNames", "host_name", "is_local_name"]


@frozen
class HostNames:
    """The host names that requests may ask for; every name may be asked for if none is configured."""

    exact: frozenset[str] = frozenset()
    """Host names in lower case, without ports."""
    suffixes: tuple[str, ...] = ()
    """Suffixes that begin with a dot; every name that ends in one may be asked for."""

    @classmethod
    def of(cls, patterns: Iterable[str], public_url: str | None) -> HostNames:
        """Return the host names for patterns such as ``packages.example.org`` and ``*.example.org``.

        :param public_url: the URL that clients use; its host is added if there are patterns.
        :raises ConfigurationError: a pattern is malformed.
        """
        exact, suffixes = set(), []
        for pattern in patterns:
            name = pattern.lower().removesuffix(".")
            plain = name.removeprefix("*.")
            if not plain.isascii() or not plain.replace("-", "").replace(".", "").replace("_", "").isalnum():
                raise ConfigurationError(
                    f"{pattern[:80]!a} is not a host name without a port, such as packages.example.org or"
                    " *.example.org"
                )
            if plain == name:
                exact.add(name)
            else:
                suffixes.append(f".{plain}")
        if (exact or suffixes) and public_url is not None:
            exact.add((urlsplit(public_url).hostname or "").lower())
        return cls(frozenset(exact), tuple(suffixes))

    def has(self, host: str) -> bool:
        """Return whether a host may be asked for, with or without a port.

        Names of this machine itself and IP addresses always may: nobody can make them lead elsewhere.
        """
        if not self.exact and not self.suffixes:
            return True
        name = host_name(host)
        return name in self.exact or name.endswith(self.suffixes or ("/",)) or is_local_name(name)


def host_name(host: str) -> str:
    """Return the name in a ``Host`` header in lower case, without its port and the dot at its end."""
    host = host.lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.removesuffix(".")


def is_local_name(name: str) -> bool:
    """Return whether a host name, in lower case, is one that nobody can make lead to another machine."""
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

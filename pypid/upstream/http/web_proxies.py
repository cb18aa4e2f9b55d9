"""The web proxies that stand between this network and others: which one, and for whom.

An upstream's options say which, or else the environment: ``http_proxy``, ``https_proxy``,
``all_proxy`` and ``no_proxy``, in lower case or upper, as curl and pip read them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from attrs import evolve, field, frozen

from pypid.errors import ConfigurationError
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.credentials import read_credentials
from pypid.upstream.http.upstream_failures import UnusableAnswer

__all__ = ["NO_PROXY", "WebProxies", "WebProxy", "proxy_place", "read_web_proxies"]

NO_PROXY = "none"
"""What the option says for no web proxy at all."""


@frozen
class WebProxy:
    """A server that connects for others (RFC 9110, section 3.7)."""

    place: Origin
    """Where it is, and whether it is spoken to with TLS."""
    source: str
    """Who names it, for messages: an option or a variable."""
    authorization: bytes | None = field(default=None, repr=False)
    """The value of the header ``Proxy-Authorization``, if it wants to know who asks."""

    def __str__(self) -> str:
        """Name it for messages, without secrets."""
        return f"{self.place.scheme}://{self.place}"


@frozen
class WebProxies:
    """Says which web proxy a host is asked through."""

    _by_scheme: Mapping[str, WebProxy | str]
    """The proxies by scheme of what is asked for, or why one that is named cannot be used."""
    _exempt: str = ""
    """The hosts that are asked without, as ``no_proxy`` lists them."""

    def of(self, place: Origin) -> WebProxy | None:
        """Return the proxy for a host, or ``None`` if it is asked directly.

        :raises UnusableAnswer: one is named that cannot be used.
        """
        proxy = self._by_scheme.get(place.scheme)
        if proxy is None or self._is_exempt(place):
            return None
        if isinstance(proxy, str):
            raise UnusableAnswer(proxy)
        return proxy

    def _is_exempt(self, place: Origin) -> bool:
        """Return whether a host is listed: by name or suffix, with a port or without, or by network."""
        host = f"[{place.host}]" if ":" in place.host else place.host
        if proxy_bypass_environment(f"{host}:{place.port}", {"no": self._exempt}):
            return True
        with suppress(ValueError):  # it is a name
            address = ip_address(place.host)
            return any(address in network for network in _networks(self._exempt))
        return False


def read_web_proxies(via: str | None, credentials: Path | None) -> WebProxies:
    """Return the proxies that an upstream is asked through.

    :param via: the URL of one, :data:`NO_PROXY`, or ``None`` for what the environment says.
    :param credentials: a file with one line, ``USER:PASSWORD``, for whichever it is.
    :raises CannotStart: the file cannot be read, or is none.
    """
    if via == NO_PROXY:
        return WebProxies({})
    authorization = read_credentials(credentials, None)
    if via is not None:
        proxy = WebProxy(proxy_place(via), "the option via", authorization)
        return WebProxies({"http": proxy, "https": proxy})
    given = getproxies_environment()
    found: dict[str, WebProxy | str] = {}
    for scheme in ("http", "https"):
        name = scheme if given.get(scheme) else "all"
        if given.get(name):
            found[scheme] = _of_variable(f"{name}_proxy", given[name], authorization)
    return WebProxies(found, given.get("no", ""))


def proxy_place(url: str) -> Origin:
    """Return where a web proxy is.

    :raises ConfigurationError: the URL is not one of a web proxy; it is never told.
    """
    if "@" in url:
        raise ConfigurationError(
            "the web proxy's URL has a user name or password, which others would see: use via-credentials"
        )
    place = Origin.of(url.rstrip("/"))
    if place is None or url.rstrip("/").count("/") != 2 or "?" in url:
        raise ConfigurationError(
            "it takes the URL of a web proxy, like http://proxy.example.org:3128, or none"
        )
    return place


def _of_variable(name: str, text: str, authorization: bytes | None) -> WebProxy | str:
    """Read a variable of the environment, which may have a user name and password in it, quoted.

    It is never told: the password might be in it. What is wrong with it is.
    """
    source = f"the environment variable {name}"
    scheme, separator, rest = text.strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", scheme)
    user, at, address = rest.rpartition("@")
    if scheme not in ("http", "https"):
        return f"{source} names a proxy of another kind than http:// and https://: name one with via, or none"
    try:
        proxy = WebProxy(proxy_place(f"{scheme}://{address}"), source, authorization)
    except ConfigurationError:
        return f"{source} should be the URL of a web proxy, like http://proxy.example.org:3128"
    if at and authorization is None:
        name, _, password = user.partition(":")
        given = f"{unquote(name)}:{unquote(password)}".encode()
        proxy = evolve(proxy, authorization=b"Basic " + b64encode(given))
    return proxy


def _networks(text: str) -> Iterator[IPv4Network | IPv6Network]:
    """Read the addresses and networks in a list, and leave out what is none."""
    for entry in text.split(","):
        with suppress(ValueError):
            yield ip_network(entry.strip().strip("[]"), strict=False)

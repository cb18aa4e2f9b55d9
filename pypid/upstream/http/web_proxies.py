"""Web proxies for requests to upstreams, and which one to use for which host.

They come from an upstream's options, or else from the environment variables ``http_proxy``,
``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower case or upper, as curl and pip read them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote

# The stub lacks the second one.
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from attrs import evolve, field, frozen

from pypid.errors import ConfigurationError
from pypid.upstream.http.allowed_hosts import Origin
from pypid.upstream.http.credentials import read_credentials
from pypid.upstream.http.upstream_failures import UnusableAnswer

__all__ = ["NO_PROXY", "WebProxies", "WebProxy", "proxy_origin", "read_web_proxies"]

NO_PROXY = "none"
"""Value of the option ``via`` for direct connections."""


@frozen
class WebProxy:
    """A web proxy (RFC 9110, section 3.7)."""

    origin: Origin
    """Its host and port, with the scheme ``https`` if connections to it use TLS."""
    source: str
    """The option or variable that names it, for messages."""
    authorization: bytes | None = field(default=None, repr=False)
    """Value of the header ``Proxy-Authorization``, if the proxy needs one."""

    def __str__(self) -> str:
        """Return its URL for messages, without secrets."""
        return f"{self.origin.scheme}://{self.origin}"


@frozen
class WebProxies:
    """Chooses the web proxy for each host."""

    _by_scheme: Mapping[str, WebProxy | str]
    """The proxies by the scheme of the request; a text says why the configured one cannot be used."""
    _exempt: str = ""
    """Hosts with direct connections, in the format of ``no_proxy``."""

    def of(self, origin: Origin) -> WebProxy | None:
        """Return the proxy for a host, or ``None`` for a direct connection.

        :raises UnusableAnswer: the configured proxy cannot be used.
        """
        proxy = self._by_scheme.get(origin.scheme)
        if proxy is None or self._is_exempt(origin):
            return None
        if isinstance(proxy, str):
            raise UnusableAnswer(proxy)
        return proxy

    def _is_exempt(self, origin: Origin) -> bool:
        """Return whether a host is exempt: by name or suffix, with or without a port, or by network."""
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        if proxy_bypass_environment(f"{host}:{origin.port}", {"no": self._exempt}):
            return True
        with suppress(ValueError):  # the host is a name, not an address
            address = ip_address(origin.host)
            return any(address in network for network in _networks(self._exempt))
        return False


def read_web_proxies(via: str | None, credentials: Path | None) -> WebProxies:
    """Return the web proxies for an upstream.

    :param via: the URL of a web proxy, :data:`NO_PROXY`, or ``None`` to read the environment.
    :param credentials: a file with one line, ``USER:PASSWORD``, for whichever proxy it is.
    :raises CannotStart: the file cannot be read, or is malformed.
    """
    if via == NO_PROXY:
        return WebProxies({})
    authorization = read_credentials(credentials, None)
    if via is not None:
        proxy = WebProxy(proxy_origin(via), "the option via", authorization)
        return WebProxies({"http": proxy, "https": proxy})
    given = getproxies_environment()
    found: dict[str, WebProxy | str] = {}
    for scheme in ("http", "https"):
        name = scheme if given.get(scheme) else "all"
        if given.get(name):
            found[scheme] = _of_variable(f"{name}_proxy", given[name], authorization)
    return WebProxies(found, given.get("no", ""))


def proxy_origin(url: str) -> Origin:
    """Return the origin of a web proxy from its URL.

    :raises ConfigurationError: the URL is not that of a web proxy. The message never contains it.
    """
    if "@" in url:
        raise ConfigurationError(
            "the web proxy's URL has a user name or password, which others would see: use via-credentials"
        )
    origin = Origin.of(url.rstrip("/"))
    if origin is None or url.rstrip("/").count("/") != 2 or "?" in url:
        raise ConfigurationError(
            "it takes the URL of a web proxy, like http://proxy.example.org:3128, or none"
        )
    return origin


def _of_variable(name: str, text: str, authorization: bytes | None) -> WebProxy | str:
    """Return the proxy that an environment variable names, or a text about the error in it.

    The value may contain a user name and password, quoted as in URLs; so the text never repeats it.
    """
    source = f"the environment variable {name}"
    scheme, separator, rest = text.strip().partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", scheme)
    user, at, address = rest.rpartition("@")
    if scheme not in ("http", "https"):
        return f"{source} names a proxy of another kind than http:// and https://: name one with via, or none"
    try:
        proxy = WebProxy(proxy_origin(f"{scheme}://{address}"), source, authorization)
    except ConfigurationError:
        return f"{source} should be the URL of a web proxy, like http://proxy.example.org:3128"
    if at and authorization is None:
        name, _, password = user.partition(":")
        given = f"{unquote(name)}:{unquote(password)}".encode()
        proxy = evolve(proxy, authorization=b"Basic " + b64encode(given))
    return proxy


def _networks(text: str) -> Iterator[IPv4Network | IPv6Network]:
    """Return the addresses and networks in a comma-separated list; other entries are ignored."""
    for entry in text.split(","):
        with suppress(ValueError):
            yield ip_network(entry.strip().strip("[]"), strict=False)

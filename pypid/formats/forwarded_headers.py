"""The headers in which proxies report who has sent a request, and what was asked for.

``Forwarded`` is RFC 7239; ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are older, and no standard. A
client can send any of them, and each proxy appends its report at the right. So all are read from the right,
and nothing to the left of the last report that is trusted can change what was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice

from attrs import frozen

__all__ = [
    "MAX_HOPS",
    "Address",
    "Report",
    "forwarded",
    "is_host",
    "last_trusted",
    "parse_address",
    "x_forwarded",
]

Address = IPv4Address | IPv6Address

MAX_HOPS = 32
"""Largest number of proxies in a row that are considered."""
MAX_LENGTH = 4 * 1024
"""Number of characters at the right end of a header that are considered."""
MAX_COMMAS = 8
"""Largest number of commas in the quoted strings of one element of ``Forwarded``."""

# Some proxies add the port to the address.
_NODE = re.compile(
    r"(?P<v4>[0-9.]{7,15})(?::[0-9]{1,5})?|\[(?P<bracketed>[^\]]+)\](?::[0-9]{1,5})?|(?P<v6>.+)"
)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
# RFC 7239, section 4; the tokens and quoted strings are those of RFC 9110, section 5.6.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PAIR = rf'(?P<name>{_WORD})=(?:(?P<token>{_WORD})|"(?P<quoted>(?:[^"\\]|\\.)*+)")'
_NEXT_PAIR = re.compile(rf"[ \t]*+(?:{_PAIR}[ \t]*+)?(?:;|\Z)")
_ESCAPE = re.compile(r"\\(.)")


@frozen
class Report:
    """What one proxy reports about a request that it has received."""

    address: Address | None = None
    """The address from which it came; ``None`` if the proxy does not say, or not as an address."""
    scheme: str | None = None
    """``http`` or ``https``; ``None`` if the proxy says neither."""
    host: str | None = None
    """The host that was asked for, with its port if there is one; ``None`` if the proxy does not say."""


def last_trusted(reports: Iterator[Report], trusts: Callable[[Address], bool]) -> Report | None:
    """Return the report of the last proxy in a row of trusted ones; it is the one about the client.

    At most :data:`MAX_HOPS` reports are considered.

    :param reports: the reports from right to left. A trusted proxy has made the first.
    :param trusts: whether the proxy at an address is trusted.
    :returns: ``None`` if there is no report.
    """
    found = None
    for found in islice(reports, MAX_HOPS):
        if found.address is None or not trusts(found.address):
            break
    return found


def x_forwarded(addresses: str | None, schemes: str | None, hosts: str | None) -> Iterator[Report]:
    """Yield the reports in the ``X-Forwarded-`` headers, from right to left.

    Many proxies append to the addresses only, and replace the other headers or leave them as they are. If
    there are fewer values than addresses, the leftmost value stands for the reports further to the left.

    :param addresses: ``X-Forwarded-For``; several lines are joined by commas, here and for the others.
    :param schemes: ``X-Forwarded-Proto``.
    :param hosts: ``X-Forwarded-Host``.
    """
    all_schemes, all_hosts = _from_right(schemes), _from_right(hosts)
    if addresses is None and not all_schemes and not all_hosts:
        return
    for position, address in enumerate(_from_right(addresses) or [""]):
        yield Report(
            parse_address(address),
            _scheme(_at(all_schemes, position)),
            _host(_at(all_hosts, position)),
        )


def forwarded(text: str) -> Iterator[Report]:
    """Yield the reports in ``Forwarded``, from right to left (RFC 7239).

    Commas in quoted strings do not separate. An element that is malformed yields an empty report, and ends
    the reports: what is to its left cannot be told apart from it.

    :param text: the value; several lines are joined by commas.
    """
    rest: str | None = text[-MAX_LENGTH:]
    while rest is not None:
        pairs, rest = _last_element(rest)
        if pairs is None:
            yield Report()
            return
        address = pairs.get("for", "")
        # An IPv6 address has brackets here (section 6).
        yield Report(
            parse_address(address) if address.count(":") < 2 or address.startswith("[") else None,
            _scheme(pairs.get("proto", "")),
            _host(pairs.get("host", "")),
        )


def parse_address(text: str) -> Address | None:
    """Return an address that may have a port or a zone, or ``None`` if the text is no address.

    A socket for both versions reports IPv4 addresses as IPv4-mapped IPv6 addresses; those become IPv4.
    """
    match = _NODE.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    try:
        address = ip_address(match[match.lastgroup or 0].partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_host(text: str) -> bool:
    """True if a text is a host, with or without a port."""
    return _HOST.fullmatch(text) is not None


def _last_element(text: str) -> tuple[dict[str, str] | None, str | None]:
    """Return the pairs of the last element, and the text before it.

    The shortest possible element is chosen: a quoted string that a client has left open must not swallow
    the element of the proxy behind it.

    :returns: ``None`` for malformed pairs, and for the text if there are no further elements.
    """
    comma = len(text)
    for _ in range(MAX_COMMAS + 1):
        comma = text.rfind(",", 0, comma)
        pairs = _pairs(text[comma + 1 :])
        if pairs is not None:
            return pairs, text[:comma] if comma >= 0 else None
        if comma < 0:
            break
    return None, None


def _pairs(element: str) -> dict[str, str] | None:
    """Return the pairs of an element with their names in lower case, or ``None`` if it is malformed."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(element):
        match = _NEXT_PAIR.match(element, position)
        if match is None:
            return None
        position = match.end()
        if match["name"] is None:
            continue
        name, quoted = match["name"].lower(), match["quoted"]
        if name in pairs:
            return None
        pairs[name] = match["token"] if quoted is None else _ESCAPE.sub(r"\1", quoted)
    return pairs


def _from_right(text: str | None) -> list[str]:
    """Split a list at its commas, and return the last of its items, from right to left."""
    if text is None:
        return []
    return [item.strip(" \t") for item in reversed(text[-MAX_LENGTH:].rsplit(",", MAX_HOPS)[-MAX_HOPS:])]


def _at(items: list[str], position: int) -> str:
    return items[min(position, len(items) - 1)] if items else ""


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in ("http", "https") else None


def _host(text: str) -> str | None:
    return text if is_host(text) else None

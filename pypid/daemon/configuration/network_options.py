"""The options of the network: addresses, proxies, and limits for clients; a part of the schema."""

from __future__ import annotations

from pypid.daemon import config
from pypid.daemon.configuration import shorthands
from pypid.daemon.configuration.option import Option

__all__ = ["NETWORK_OPTIONS"]

_NETWORK = "Network"

NETWORK_OPTIONS: tuple[Option, ...] = (
    Option(
        name="listen",
        group=_NETWORK,
        metavar="ADDRESS",
        summary="Where to listen: 127.0.0.1:8080, a path of a UNIX socket, or a Twisted endpoint.",
        details="0.0.0.0:8080 stands for all addresses of this machine.",
        parse=shorthands.endpoint,
        default=["127.0.0.1:8080"],
        is_repeatable=True,
        needs_restart=True,
    ),
    Option(
        name="port",
        group=_NETWORK,
        metavar="PORT",
        summary="The port, for this machine alone: short for --listen 127.0.0.1:PORT.",
        parse=config.port,
        example="8080",
        is_repeatable=True,
        is_number=True,
        target="listen",
        needs_restart=True,
    ),
    Option(
        name="public-url",
        group=_NETWORK,
        metavar="URL",
        summary="The URL that clients use, if a proxy stands in front.",
        parse=config.public_url,
        example='"https://packages.example.org/"',
    ),
    Option(
        name="trust-proxy",
        group=_NETWORK,
        metavar="ADDRESS",
        summary="Address or network of a proxy whose (X-)Forwarded headers are believed, or unix.",
        parse=config.proxy_address,
        example='["127.0.0.1"]',
        is_repeatable=True,
    ),
    Option(
        name="offload",
        group=_NETWORK,
        metavar="HOW",
        summary="How trusted proxies send files themselves: nginx:/prefix/ or apache.",
        details="The files in etc/nginx and etc/apache2 have what it takes, ready to switch on.",
        parse=config.offload,
        default_note="pypid sends them",
        example='"nginx:/pypid-files/"',
    ),
    Option(
        name="allowed-host",
        group=_NETWORK,
        metavar="NAME",
        summary="A host name that clients may ask for, such as packages.example.org or *.example.org.",
        details="Others are answered with 421, but for IP addresses, localhost and the host of public-url.",
        parse=config.allowed_host,
        default_note="every name",
        example='["packages.example.org"]',
        is_repeatable=True,
    ),
    Option(
        name="keep-alive",
        group=_NETWORK,
        metavar="SECONDS",
        summary="Seconds that a connection waits for its next request.",
        parse=config.keep_alive,
        default=[config.DEFAULT_KEEP_ALIVE],
        is_number=True,
    ),
    Option(
        name="max-connections",
        group=_NETWORK,
        metavar="NUMBER",
        summary="Connections at a time; more are answered with 503.",
        parse=config.limit,
        default=["4000"],
        is_number=True,
    ),
    Option(
        name="max-connections-per-address",
        group=_NETWORK,
        metavar="NUMBER",
        summary="Connections at a time from one address; more are answered with 429.",
        details="With IPv6 it holds for each /64 network. Trusted proxies may have more.",
        parse=config.limit,
        default_note="no limit",
        example="200",
        is_number=True,
    ),
    Option(
        name="max-requests-per-address",
        group=_NETWORK,
        metavar="NUMBER",
        summary="Requests in a minute from one address; more are answered with 429.",
        details="Behind a trusted proxy it holds for each of its clients. Paths that begin with /+ are free.",
        parse=config.limit,
        default_note="no limit",
        example="6000",
        is_number=True,
    ),
    Option(
        name="send-timeout",
        group=_NETWORK,
        metavar="SECONDS",
        summary="Seconds after which a client is cut off that takes nothing of its answer.",
        details="It holds for TCP on Linux, for connections that begin after a change.",
        parse=config.limit,
        default=["120"],
        is_number=True,
    ),
)
"""The options, in the order in which people read them; see :mod:`pypid.daemon.configuration.schema`."""

"""The daemon's configuration, from the values of all options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import fields_dict

from pypid.daemon import config
from pypid.daemon.config import Config
from pypid.daemon.configuration.origin import Origin, Problem, Source, WrongConfiguration
from pypid.daemon.configuration.schema import OPTIONS
from pypid.daemon.configuration.settings import Settings
from pypid.daemon.configuration.wording import worded
from pypid.errors import ConfigurationError
from pypid.web.http.client_limits import ClientLimits
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload

__all__ = ["config_of"]

T = TypeVar("T")


def config_of(settings: Settings) -> Config:
    """Return the daemon's configuration. What depends on several options is checked here.

    :raises WrongConfiguration: two options contradict each other, or there is no root.
    """
    if settings.root is None:
        message = "--root is missing; say which directory to serve, as in --root /var/pypi"
        if settings.file is not None:
            message = f'{settings.file} names no root; write root = "/var/pypi" in it, or --root /var/pypi'
        raise ConfigurationError(message)
    listen = settings.all("listen")
    archives = frozenset[str]().union(*settings.all("old-archives"))
    combined = {
        "root": settings.root,
        "storage": settings.one("storage"),
        "access": _checked(settings, "access", lambda: config.access_policy(settings.one("access"), listen)),
        "upstreams": settings.all("upstream"),
        "reserved": settings.all("reserve"),
        "uploads": _checked(
            settings,
            "uploads",
            lambda: config.upload_rules(settings.one("uploads"), archives, settings.all("overwrite")),
        ),
        "signers": settings.one("attestations"),
        "proxies": TrustedProxies.of(settings.all("trust-proxy")),
        "hosts": HostNames.of(settings.all("allowed-host"), settings.one("public-url")),
        "limits": ClientLimits(
            settings.one("max-connections"),
            settings.one("max-connections-per-address"),
            settings.one("max-requests-per-address"),
            settings.one("send-timeout"),
        ),
        "offload": _checked(settings, "offload", lambda: _offload(settings)),
        "file": settings.file,
        "given": settings.given,
    }
    known = fields_dict(Config)
    plain = {
        option.field: settings.all(option.name) if option.is_repeatable else settings.one(option.name)
        for option in OPTIONS
        if option.field in known
    }
    return Config(**{**plain, **combined})


def _offload(settings: Settings) -> Offload | None:
    """Return how files are handed over. :raises ConfigurationError: no proxy is named that takes them."""
    text = settings.one("offload")
    if text is None or settings.root is None:
        return None
    if not settings.all("trust-proxy"):
        raise ConfigurationError(
            "files are handed over to trusted proxies only: write --trust-proxy 127.0.0.1, too, or where the"
            " proxy is"
        )
    return Offload.of(text, settings.root)


def _checked(settings: Settings, name: str, check: Callable[[], T]) -> T:
    """Return the outcome of a check. :raises WrongConfiguration: it fails; an option is to blame."""
    try:
        return check()
    except ConfigurationError as error:
        texts = settings.texts(name)
        origin = texts[-1].origin if texts else Origin(Source.DEFAULT)
        if origin.source is Source.DEFAULT:
            origin = Origin(Source.FLAG, f"--{name}")
        raise WrongConfiguration([Problem(origin, worded(str(error), origin.source))]) from None

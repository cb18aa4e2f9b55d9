"""The options of an upstream, parsed from the text after ``proxy:`` on a command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from pypid.errors import ConfigurationError
from pypid.formats.quantities import duration, moment, size
from pypid.names import is_name, name_pattern, normalize
from pypid.upstream.http.urls import host_name, index_url
from pypid.upstream.http.web_proxies import NO_PROXY, proxy_origin
from pypid.upstream.release_policy import ReleasePolicy, ReleaseRule

__all__ = ["DEFAULT_MAX_SIZE", "Settings", "parse_description", "parse_redirect"]

DEFAULT_MAX_SIZE = 10 * 1024**3
"""Default size limit of the cache, in bytes."""

# A user name is matched only so that its error message can say what is wrong.
_DESCRIPTION = re.compile(
    r"(?P<url>[^:/]*://(?:[^/@]*@)?(?:\[[^\]]*\]|[^:/\[\]]*)(?::[0-9]+)?(?:/[^:]*)?)(?::(?P<options>.*))?",
    re.DOTALL,
)
# Colons of a web proxy's URL need no backslash; a user name is matched as above.
_VIA = re.compile(r"(?<![^:])via=(?:https?://)?(?:[^/@]*@)?(?:\[[^\]]*\]|[^:/\[\]]*)(?::[0-9]+)?/?(?![^:])")
_COLON = re.compile(r"(?<!\\):")
_COMMA = re.compile(r",(?![<>=!~])")  # not one within a version specifier
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Statuses about the client or its requests, which may change in a moment.
_NEVER_MISSING = frozenset({401, 407, 408, 425, 429})
# PyPI's pages link to another host of PyPI, which is trusted at whatever address it has here.
_FILE_HOSTS = {
    "pypi.org": ("files.pythonhosted.org",),
    "test.pypi.org": ("test-files.pythonhosted.org",),
}

_Reader = tuple[str, Callable[[str], Any]]


@frozen
class Settings:
    """The settings of one upstream: requests, release policy and cache."""

    url: str
    """URL of its list of projects, ending in a slash."""
    name: str
    """Its name in logs, and the name of its cache directory."""
    ttl: timedelta = timedelta(minutes=10)
    """For how long a page is fresh."""
    max_stale: timedelta = timedelta(days=7)
    """Greatest age of a stale page that is served while the upstream fails."""
    timeout: timedelta = timedelta(seconds=30)
    """Time limit for one request of a page."""
    max_size: int = DEFAULT_MAX_SIZE
    """Size limit of the cache of files and pages, in bytes."""
    merged: frozenset[str] = frozenset()
    """Normalized names of the local projects to which its files are added."""
    policy: ReleasePolicy = field(factory=ReleasePolicy)
    """The rules for the projects and files that are offered."""
    hosts: Sequence[str] = ()
    """Further trusted hosts, as ``host`` or ``host:port``, to which its pages may link."""
    credentials: Path | None = None
    """File with the user name and password, or token, for the upstream."""
    credentials_variable: str | None = None
    """Environment variable with the same."""
    via: str | None = None
    """URL of the web proxy for requests, or ``none``; ``None`` to read the environment."""
    via_credentials: Path | None = None
    """File with the user name and password for the web proxy."""
    offline: bool = False
    """Whether no requests are sent, and only cached pages and files are served."""
    missing: frozenset[int] = frozenset()
    """Further HTTP statuses that mean that a resource is missing, besides 404 and 410."""
    allow_private: bool = False
    """Whether its pages may link to loopback and private addresses."""
    allow_http: bool = False
    """Whether its pages may link to URLs without TLS."""


def parse_description(argument: str) -> Settings:
    r"""Parse ``URL[:key=value…][:flag…]``; a colon in a value is written ``\:``.

    :raises ConfigurationError: the text is malformed; the message says what to write instead.
    """
    url, options = _split(argument)
    given = _options(options) if options is not None else {}
    _check_combination(given)
    policy = {name: given[key] for key, (name, _) in _POLICY.items() if key in given}
    settings = {name: given[key] for key, (name, _) in _SETTINGS.items() if key in given}
    settings["hosts"] = (*settings.get("hosts", ()), *_FILE_HOSTS.get(urlsplit(url).hostname or "", ()))
    flags = {name: True for key, name in _FLAGS.items() if key in given}
    return Settings(url, **{"name": _default_name(url), **settings, **flags}, policy=ReleasePolicy(**policy))


def parse_redirect(argument: str) -> tuple[str, str]:
    """Parse ``URL[:name=NAME]``, and return the URL and the name.

    :raises ConfigurationError: the text is malformed; the message says what to write instead.
    """
    url, options = _split(argument)
    given = _options(options, {"name": _SETTINGS["name"]}, {}) if options is not None else {}
    return url, given.get("name") or host_name(url)


def _split(argument: str) -> tuple[str, str | None]:
    """Return the URL, validated, and the options behind it, if there are any.

    :raises ConfigurationError: the URL is not that of an index.
    """
    match = _DESCRIPTION.fullmatch(argument)
    return (index_url(match["url"]), match["options"]) if match is not None else (index_url(argument), None)


def _options(
    text: str, readers: Mapping[str, _Reader] | None = None, flags: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the values of the options in ``text``; each option may be given once.

    :param readers: the permitted options with a value; all of them by default.
    :param flags: the permitted options without a value; all of them by default.
    :raises ConfigurationError: an option is unknown, malformed or given twice.
    """
    given: dict[str, Any] = {}
    readers = _SETTINGS | _POLICY if readers is None else readers
    flags = _FLAGS if flags is None else flags
    for option in _COLON.split(_VIA.sub(lambda match: match[0].replace(":", "\\:"), text)):
        key, equals, value = option.replace("\\:", ":").partition("=")
        if key in given:
            raise ConfigurationError(f"the upstream's option {key} is given twice")
        if key in flags:
            if equals:
                raise ConfigurationError(f"the upstream's option {key} takes no value")
            given[key] = True
        elif key in readers:
            if not value:
                raise ConfigurationError(f"the upstream's option {key} needs a value: {key}=VALUE")
            try:
                given[key] = readers[key][1](value)
            except ConfigurationError as error:
                raise ConfigurationError(f"the upstream's option {key}: {error}") from None
        else:
            known = [*readers, *flags]
            close = get_close_matches(key, known, n=1)
            # The message does not repeat the option, which may be part of a password.
            hint = f'; did you mean "{close[0]}"?' if close else "."
            raise ConfigurationError(f"an upstream has no such option{hint} There are: {', '.join(known)}")
    return given


def _check_combination(given: Mapping[str, Any]) -> None:
    """Raise :exc:`ConfigurationError` for options that contradict each other or have no effect."""
    if "credentials" in given and "credentials-env" in given:
        raise ConfigurationError("the upstream's credentials are either in a file or in the environment")
    if given.get("via") == NO_PROXY and "via-credentials" in given:
        raise ConfigurationError("the upstream's option via-credentials needs another via than none")
    if "min-age-except" in given and "min-age" not in given:
        raise ConfigurationError("the upstream's option min-age-except needs min-age")
    if "unknown-age" in given and not {"min-age", "before"} & set(given):
        raise ConfigurationError("the upstream's option unknown-age needs min-age or before")


def _default_name(url: str) -> str:
    """Return the default name of an upstream: its host, port and path."""
    parts = urlsplit(url)
    path = re.sub(r"/\+?simple/$", "/", parts.path)
    text = f"{host_name(url)}-{parts.port or ''}-{path}".lower()
    return re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9.-]", "-", text))[:100].strip(".-")


def _list_of(read: Callable[[str], Any]) -> Callable[[str], Sequence[Any]]:
    return lambda text: tuple(read(item.strip()) for item in _COMMA.split(text))


def _project(text: str) -> str:
    if not is_name(text):
        raise ConfigurationError(f"{text!r} is not the name of a project")
    return normalize(text)


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ConfigurationError(f"{text!r} is not a short name of a-z 0-9 - .")
    return text


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise ConfigurationError(f"{text!r} is not a host like files.example.org, or host\\:port")
    return text.lower()


def _variable(text: str) -> str:
    if _VARIABLE.fullmatch(text) is None:
        raise ConfigurationError("it takes the name of an environment variable")
    return text


def _positive(text: str) -> timedelta:
    span = duration(text)
    if not span:
        raise ConfigurationError(f"{text!r} is no time at all")
    return span


def _via(text: str) -> str:
    if text != NO_PROXY:
        proxy_origin(text)
    return text


def _missing_status(text: str) -> int:
    """Parse a status for missing resources: 400 to 499, but none that may change in a moment."""
    if re.fullmatch(r"4[0-9]{2}", text) is None or int(text) in _NEVER_MISSING:
        raise ConfigurationError(f"{text!r} is no status for what is not there, such as 403")
    return int(text)


def _age(text: str) -> bool:
    if text not in ("young", "old"):
        raise ConfigurationError(f"{text!r} is neither young nor old")
    return text == "young"


def _only(text: str) -> bool:
    if text != "wheels":
        raise ConfigurationError(f"{text!r} is not wheels")
    return True


_SETTINGS: dict[str, _Reader] = {
    "name": ("name", _name),
    "ttl": ("ttl", duration),
    "max-stale": ("max_stale", duration),
    "timeout": ("timeout", _positive),
    "max-size": ("max_size", size),
    "merge": ("merged", lambda text: frozenset(_list_of(_project)(text))),
    "hosts": ("hosts", _list_of(_host)),
    "credentials": ("credentials", lambda text: Path(text).absolute()),
    "credentials-env": ("credentials_variable", _variable),
    "via": ("via", _via),
    "via-credentials": ("via_credentials", lambda text: Path(text).absolute()),
    "missing": ("missing", lambda text: frozenset(_list_of(_missing_status)(text))),
}
"""For each option: the field of :class:`Settings`, and the parser of the value."""
_POLICY: dict[str, _Reader] = {
    "allow": ("allow", _list_of(ReleaseRule.parse)),
    "deny": ("deny", _list_of(ReleaseRule.parse)),
    "min-age": ("min_age", _positive),
    "min-age-except": ("ageless", _list_of(name_pattern)),
    "unknown-age": ("unknown_is_young", _age),
    "before": ("before", moment),
    "only": ("only_wheels", _only),
}
"""For each option: the field of :class:`ReleasePolicy`, and the parser of the value."""
_FLAGS = {"offline": "offline", "allow-private": "allow_private", "allow-http": "allow_http"}
"""For each flag: the field of :class:`Settings`."""

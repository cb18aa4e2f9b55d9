"""All options of the daemon: the only source of the parser, ``--help``, the sample file and the manual.

To add an option, add

1. an entry to :data:`OPTIONS`, in the place where people should read it. A flag, a key of the file, a
   variable, lines in ``twistd pypid --help`` and in ``pypid config sample`` come of it;
2. a field of the same name (``max-upload`` is ``max_upload``) to :class:`pypid.daemon.config.Config`. Its
   value is what ``parse`` returned, or ``None`` without a value and a default. If the option is repeatable,
   it is a tuple;
3. the section of the manual: ``pypid config reference > docs/configuration.md``. A test compares.

``parse`` takes the text of one value, and raises :exc:`~pypid.errors.ConfigurationError` with a message
that says what would be right. It opens nothing. The parsers are in :mod:`pypid.daemon.config` or where the
thing itself is; the caller puts the place of the value (flag, variable, or file and line) before the
message. In a message write the option as a flag, ``write --listen 127.0.0.1:80``: if the value is in the
file, ``listen = "127.0.0.1:80"`` is shown. What depends on two options is checked in
:func:`pypid.daemon.configuration.combination.config_of`.

An option takes effect with a reload, unless it says ``needs_restart``. A reload makes everything that
answers requests anew, from a new ``Config``; what lives longer than that is brought up to date in
:mod:`pypid.daemon.reload`.

For a plugin's description set ``factory``: strings ``prefix:argument`` and tables are understood then.
"""

from __future__ import annotations

from pypid.daemon import config
from pypid.daemon.attestation_verifier import signers
from pypid.daemon.configuration import shorthands
from pypid.daemon.configuration.network_options import NETWORK_OPTIONS
from pypid.daemon.configuration.option import Option
from pypid.formats.quantities import size
from pypid.interfaces import (
    IAccessPolicyFactory,
    IAuthenticatorFactory,
    IStorageFactory,
    IUpstreamFactory,
)

__all__ = ["BY_NAME", "OPTIONS"]

_PLACE, _PEOPLE, _UPSTREAMS, _UPLOADS, _WATCH = (
    "The index",
    "Users and rights",
    "Other indexes",
    "Uploads",
    "Monitoring",
)

OPTIONS: tuple[Option, ...] = (
    Option(
        name="config",
        group=_PLACE,
        metavar="FILE",
        summary="The configuration file, in TOML.",
        default_note="ROOT/pypid.toml, if it is there",
        is_in_file=False,
        needs_restart=True,
    ),
    Option(
        name="root",
        group=_PLACE,
        metavar="DIR",
        summary="The directory of the index, made if it is missing. Required.",
        example='"/var/pypi"',
        needs_restart=True,
    ),
    Option(
        name="storage",
        group=_PLACE,
        metavar="DESC",
        summary="Where files are kept.",
        parse=shorthands.storage,
        default=["directory:{root}"],
        factory=IStorageFactory,
        needs_restart=True,
    ),
    *NETWORK_OPTIONS,
    Option(
        name="metrics",
        group=_WATCH,
        metavar="ADDRESS",
        summary="Where monitoring gets /+metrics without a token, such as 127.0.0.1:9109.",
        details=(
            "Only /+metrics, /+ready and /+health are to be had there, by whoever can connect. On the usual"
            " addresses /+metrics needs a token with the scope metrics."
        ),
        parse=shorthands.endpoint,
        default_note="nowhere",
        example='["127.0.0.1:9109"]',
        is_repeatable=True,
        needs_restart=True,
    ),
    Option(
        name="log-format",
        group=_WATCH,
        metavar="FORMAT",
        summary="How the log is written: text, or json with one object a line.",
        parse=config.log_format,
        default=["text"],
        needs_restart=True,
    ),
    Option(
        name="log-level",
        group=_WATCH,
        metavar="LEVEL",
        summary="The least level that is logged: debug, info, warn, error or critical.",
        details="The access log is of the level info. Audit lines are always logged.",
        parse=config.log_level,
        default=["info"],
        needs_restart=True,
    ),
    Option(
        name="audit-log",
        group=_WATCH,
        metavar="FILE",
        summary="A file for audit lines, which say who changed what; one JSON object a line.",
        details=(
            "They are in the log in any case. The command pypid writes to this file, too, if it gets the same"
            " option in the configuration file or as PYPID_AUDIT_LOG. The file may be renamed at any time."
        ),
        parse=config.audit_log,
        default_note="none",
        example='"/var/log/pypid/audit.log"',
        needs_restart=True,
    ),
    Option(
        name="auth",
        group=_PEOPLE,
        metavar="DESC",
        summary="How users sign in; the first that knows one decides.",
        # Tokens come first: checking a password against the tokens is cheap, while checking a token against
        # the password file would cost a bcrypt hash.
        parse=shorthands.authenticator,
        default=["tokens:{root}/tokens", "htpasswd:{root}/htpasswd:optional"],
        is_repeatable=True,
        factory=IAuthenticatorFactory,
    ),
    Option(
        name="access",
        group=_PEOPLE,
        metavar="DESC",
        summary="Who may do what: open, private, anyone or rules:FILE; see --help-access.",
        parse=shorthands.access,
        default=["open"],
        factory=IAccessPolicyFactory,
    ),
    Option(
        name="realm",
        group=_PEOPLE,
        metavar="NAME",
        summary="What users sign in to, as their clients may show it.",
        parse=config.realm,
        default=[config.DEFAULT_REALM],
    ),
    Option(
        name="upstream",
        group=_UPSTREAMS,
        metavar="DESC",
        summary="An index to look in for what is not here, or none; asked in order.",
        parse=shorthands.upstream,
        default=[f"proxy:{config.DEFAULT_UPSTREAM_URL}"],
        default_note="proxy of PyPI",
        example='["https://index.example.org/simple/"]',
        is_repeatable=True,
        factory=IUpstreamFactory,
    ),
    Option(
        name="reserve",
        group=_UPSTREAMS,
        metavar="PATTERN",
        summary="Project names that are never asked for upstream, such as acme-*.",
        parse=config.reserved,
        example='["acme-*"]',
        is_repeatable=True,
    ),
    Option(
        name="max-upload",
        group=_UPLOADS,
        metavar="SIZE",
        summary="The largest upload taken, such as 500M or 2GiB.",
        parse=size,
        default=[config.DEFAULT_MAX_UPLOAD],
        is_number=True,
    ),
    Option(
        name="uploads",
        group=_UPLOADS,
        metavar="LEVEL",
        summary="How uploads are checked: permissive or strict (as PyPI).",
        parse=config.upload_level,
        default=["permissive"],
    ),
    Option(
        name="old-archives",
        group=_UPLOADS,
        metavar="KINDS",
        summary="Old kinds of archives to take besides .whl and .tar.gz, such as egg,zip,exe.",
        parse=config.old_archives,
        default_note="none",
        example='["egg", "zip"]',
        is_repeatable=True,
    ),
    Option(
        name="overwrite",
        group=_UPLOADS,
        metavar="PATTERN",
        summary="Versions whose files uploads may replace, such as *.dev*.",
        parse=config.version_pattern,
        default_note="none",
        example='["*.dev*"]',
        is_repeatable=True,
    ),
    Option(
        name="attestations",
        group=_UPLOADS,
        metavar="WHAT",
        summary="What to do with attestations: store, or verify:WHO (see the docs).",
        parse=signers,
        default=["store"],
    ),
)
"""The options, in the order in which people read them."""

BY_NAME = {option.name: option for option in OPTIONS}
"""The options by their names."""

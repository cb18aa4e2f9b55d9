"""The page ``docs/configuration.md`` of the manual, written from the schema."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pypid.daemon.configuration.option import Option
from pypid.daemon.configuration.sample import toml_value
from pypid.daemon.configuration.schema import OPTIONS

__all__ = ["reference"]

WIDTH = 98
_HEAD = """\
# Configuration

This page is written by `pypid config reference` from the schema of the options.

Each option has one name in three places: the key `max-upload` in the configuration file, the flag
`--max-upload` of `twistd pypid` and `pypid serve`, and the variable `PYPID_MAX_UPLOAD`. A flag
beats the variable, the variable the file, and the file the default. An option that may be repeated
is a list in the file, and words in a variable, in quotation marks where they have blanks; the flag
is repeated. Whichever place wins has all values of the option: lists are not added up.

The file is TOML, and at most 1 MiB large. `--config FILE` names it; otherwise it is
`ROOT/pypid.toml`, if that is there. If the file names the root, nothing else has to:

    twistd pypid --config /etc/pypid/pypid.toml

Relative paths in the file are relative to the directory of the file.

    pypid config sample > pypid.toml          # every key, commented out
    pypid --config pypid.toml config check    # ends with 2 if something is wrong, and says what
    pypid --root /var/pypi config show        # each value, and where it comes from

`config check` and `config show` also take the flags of the daemon, behind their name. The other
verbs of `pypid` find storage, upstreams and reserved names in the same file.

A variable that begins with `PYPID_` and is almost the name of an option is refused as a mistake;
any other is left alone. `PYPID_PORT=tcp://…`, which Kubernetes sets where a service is called
`pypid`, is left alone, too.

## Reload

`pypid reload`, or `SIGHUP`, has the running daemon read the file again. Users, rights, upstreams,
reserved names, limits and TLS files take effect at once. Requests that are under way end with what
they began with; none is dropped. If anything is wrong, nothing changes: the command and the log
name each mistake, and the command ends with 1. The file is read once it has not changed for a
second, so that no half of it is taken for the whole; if it is gone, that is a mistake, too. Flags
and variables stay as they were at the start. Below, each option says if a change needs a restart.

## Tables

What names a plugin (`upstream`, `auth`, `access`, `storage`) is a description
`prefix:argument`, or a table. These are the same:

    upstream = ["proxy:https://index.example.org/simple/:min-age=3d:offline"]

    [[upstream]]
    type = "proxy"
    url = "https://index.example.org/simple/"
    min-age = "3d"
    offline = true

`type` is the prefix. What comes first in a description is a key of its name, here `url`;
`twistd pypid --help-upstream` shows the names: `URL`, `FILE`, `DIR`. Every other key is an option
of the description. A list stands for values with commas between them, and `true` for an option
without a value; `false` leaves it out. Several tables `[[upstream]]` are asked in their order.

## Secrets

No secret stands in the file or on the command line. Where a description needs one, it names a
file:

    credentials = {file = "/etc/pypid/credentials"}

If everybody on the machine can read that file, it is refused. A relative path, or one that begins
with `$CREDENTIALS_DIRECTORY/`, is in the directory in which systemd puts the credentials of a
service: `LoadCredential=upstream:/etc/pypid/upstream` in the unit, and
`credentials = {file = "upstream"}` here.
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD.rstrip("\n"), *_groups()]) + "\n"


def _groups() -> Iterator[str]:
    group = ""
    for option in OPTIONS:
        if option.group != group:
            group = option.group
            yield f"\n## {group}"
        yield f"\n### {option.name}\n"
        yield from textwrap.wrap(f"{option.summary} {option.details}".strip(), WIDTH, break_on_hyphens=False)
        if option.is_in_file:
            yield f"\n    {option.name} = {toml_value(option)}"
        yield ""
        yield from textwrap.wrap(_facts(option), WIDTH, break_on_hyphens=False)


def _facts(option: Option) -> str:
    """Return one paragraph: the names, the default, and when a change takes effect."""
    words = [f"Flag `--{option.name} {option.metavar}`, variable `{option.variable}`"]
    if option.is_repeatable:
        words.append("; may be repeated")
    words.append(".")
    if option.default_note:
        words.append(f" Default: {option.default_note}.")
    elif option.default:
        words.append(f" Default: `{option.shown_default}`.")
    words.append(" A change needs a restart." if option.needs_restart else " A change takes a reload.")
    return "".join(words)

"""The sample of a configuration file: every key, with its default or an example, commented out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator

from pypid.daemon.configuration.option import ROOT, Option
from pypid.daemon.configuration.schema import OPTIONS

__all__ = ["sample", "toml_value"]

EXAMPLE_ROOT = "/var/pypi"
WIDTH = 100
_HEAD = """\
pypid.toml: the configuration of pypid. It lies in the root directory, or `--config FILE` names it.

Each key is also a flag of `twistd pypid` (--max-upload) and a variable (PYPID_MAX_UPLOAD). A flag beats
the variable, the variable this file. After a change: `pypid config check`, then `pypid reload`. Values are
the defaults where there is one; where a list is, one value may stand without brackets, too.
"""
_TABLES = """\
Descriptions of upstreams, users, rights and storage may also be tables, which stand behind all other keys:
"""
_EXAMPLE_TABLES = """\
[[upstream]]
type = "proxy"
url = "https://index.example.org/simple/"
min-age = "3d"
credentials = {file = "/etc/pypid/credentials"}
"""


def sample() -> str:
    """Return the sample file. Uncommented lines are TOML; comments begin with ``#`` and a blank."""
    return "\n".join(_lines()) + "\n"


def toml_value(option: Option) -> str:
    """Return an example of an option's value as TOML: what the schema says, or else its default."""
    if option.example:
        return option.example
    texts = [text.replace(ROOT, EXAMPLE_ROOT) for text in option.default]
    if not texts:
        return json.dumps(option.metavar)
    if option.is_repeatable:
        return f"[{', '.join(json.dumps(text) for text in texts)}]"
    if option.is_switch:
        return "true" if texts[-1] == "on" else "false"
    return texts[-1] if option.is_number and texts[-1].isdecimal() else json.dumps(texts[-1])


def _lines() -> Iterator[str]:
    yield from _comment(_HEAD)
    group = ""
    for option in OPTIONS:
        if not option.is_in_file:
            continue
        if option.group != group:
            group = option.group
            yield ""
            yield f"# ---- {group} ----"
        yield ""
        yield from _comment(f"{option.summary} {option.details}".strip())
        if option.default_note:
            yield from _comment(f"Default: {option.default_note}.")
        if option.needs_restart:
            yield from _comment("A change needs a restart.")
        yield f"#{option.name} = {toml_value(option)}"
    yield ""
    yield from _comment(_TABLES)
    yield ""
    yield from (f"#{line}" for line in _EXAMPLE_TABLES.splitlines())


def _comment(text: str) -> Iterable[str]:
    """Yield a text as comments, wrapped."""
    for paragraph in text.strip().split("\n\n"):
        wrapped = textwrap.wrap(" ".join(paragraph.split()), WIDTH - 2)
        yield from (f"# {line}" for line in wrapped)

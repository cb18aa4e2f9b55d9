"""The schema is the only source of the parser, the help, the sample file and the manual."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from attrs import fields_dict

from pypid.daemon.config import Config
from pypid.daemon.configuration.combination import config_of
from pypid.daemon.configuration.option import Option
from pypid.daemon.configuration.reference import reference
from pypid.daemon.configuration.sample import sample
from pypid.daemon.configuration.schema import OPTIONS
from pypid.daemon.configuration.settings import gather
from pypid.tap import Options

COMBINED = {
    "config": "file",
    "port": "listen",
    "upstream": "upstreams",
    "reserve": "reserved",
    "old-archives": "uploads",
    "overwrite": "uploads",
    "attestations": "signers",
    "trust-proxy": "proxies",
    "allowed-host": "hosts",
    "max-connections": "limits",
    "max-connections-per-address": "limits",
    "max-requests-per-address": "limits",
    "send-timeout": "limits",
}
"""The fields of options that have none of their own name."""
PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_of_the_manual_is_what_the_schema_says() -> None:
    assert PAGE.read_text() == reference(), "pypid config reference > docs/configuration.md"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_is_everywhere(option: Option) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", option.name)
    assert option.summary.endswith(".")
    assert f"\n### {option.name}\n" in PAGE.read_text()
    assert f"`{option.variable}`" in PAGE.read_text()
    assert COMBINED.get(option.name, option.field) in fields_dict(Config)
    assert f"\n#{option.name} = " in sample() or not option.is_in_file
    assert option.name in Options().synonyms
    assert option.summary.removesuffix(".").split()[0] in Options().docs[option.name]
    if option.factory is not None:
        assert f"help-{option.name}" in Options().synonyms


def test_the_help_has_the_summaries_and_the_defaults() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from pypid.tap import Options; print(Options().getUsage(200))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in OPTIONS:
        assert f"--{option.name}=" in said
        assert option.summary.removesuffix(".")[:60] in " ".join(said.split())
        assert option.shown_default in " ".join(said.split())


def test_the_sample_is_right_when_nothing_is_commented_out(tmp_path: Path) -> None:
    """Apart from the tables, which say again what a list has said."""
    text = sample().partition("# Descriptions of upstreams")[0]
    uncommented = re.sub("^#(?! )", "", text, flags=re.MULTILINE)
    assert set(tomllib.loads(uncommented)) == {option.name for option in OPTIONS if option.is_in_file}
    file = tmp_path / "pypid.toml"
    file.write_text(uncommented)
    read = config_of(gather([("config", str(file))], {}))
    assert (read.root, read.max_upload) == (Path("/var/pypi"), 1024**3)
    assert read.reserved == ["acme-*"]


def test_the_tables_of_the_sample_are_right(tmp_path: Path) -> None:
    tables = re.sub("^#(?! )", "", sample().partition("# other keys:")[2], flags=re.MULTILINE)
    file = tmp_path / "pypid.toml"
    file.write_text(tables)
    assert config_of(gather([("config", str(file)), ("root", "/srv")], {})).upstreams == [
        "proxy:https://index.example.org/simple/:min-age=3d:credentials=/etc/pypid/credentials"
    ]


def test_the_sample_as_it_is_sets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pypid.toml"
    file.write_text(sample())
    with_it, without = (
        gather([("root", "/srv"), *more], {}).values for more in ([("config", str(file))], [])
    )
    assert {**with_it, "config": ()} == {**without, "config": ()}

"""Which place wins, and what is made of what is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypid.daemon.config import Config
from pypid.daemon.configuration.combination import config_of
from pypid.daemon.configuration.origin import Source, WrongConfiguration
from pypid.daemon.configuration.settings import Settings, gather


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pypid.toml"


def settings(file: Path, text: str, *flags: tuple[str, str], **variables: str) -> Settings:
    file.write_text(f'root = "/srv/pypi"\n{text}')
    return gather([("config", str(file)), *flags], variables)


def config(file: Path, text: str, *flags: tuple[str, str], **variables: str) -> Config:
    return config_of(settings(file, text, *flags, **variables))


def test_a_flag_beats_the_variable_and_that_beats_the_file(file: Path) -> None:
    text, variable, flag = 'realm = "file"\nmax-upload = "1K"\nuploads = "strict"\n', "2K", ("realm", "flag")
    found = settings(file, text, flag, PYPID_MAX_UPLOAD=variable, PYPID_REALM="variable")
    assert {name: found.one(name) for name in ("realm", "max-upload", "uploads", "keep-alive")} == {
        "realm": "flag",
        "max-upload": 2048,
        "uploads": "strict",
        "keep-alive": 120.0,
    }
    places = [str(found.texts(name)[0].origin) for name in ("realm", "max-upload", "uploads", "keep-alive")]
    assert places == ["--realm", "PYPID_MAX_UPLOAD", f"{file}:4", "default"]


def test_lists_are_not_added_up(file: Path) -> None:
    text = 'reserve = ["a", "b"]\ntrust-proxy = "unix"\n'
    found = settings(file, text, ("reserve", "c"), ("reserve", "d"), PYPID_RESERVE="e f")
    assert (found.all("reserve"), found.all("trust-proxy")) == (["c", "d"], ["unix"])
    assert settings(file, text, PYPID_RESERVE="e 'f'").all("reserve") == ["e", "f"]
    assert settings(file, text).all("reserve") == ["a", "b"]


def test_the_file_may_name_the_root_and_its_relative_paths_begin_at_it(file: Path) -> None:
    file.write_text('root = "tree"\n')
    assert config_of(gather([("config", str(file))], {})).root == file.parent / "tree"
    assert config_of(gather([("config", str(file)), ("root", "/srv/other")], {})).root == Path("/srv/other")
    assert config_of(gather([], {"PYPID_CONFIG": str(file)})).root == file.parent / "tree"


def test_the_file_in_the_root_is_found(file: Path) -> None:
    file.write_text('realm = "Acme"\n')
    found = gather([("root", str(file.parent))], {})
    assert (found.one("realm"), found.file) == ("Acme", file)
    file.unlink()
    assert gather([("root", str(file.parent))], {}).file is None


def test_a_port_is_an_address_to_listen_on(file: Path) -> None:
    assert config(file, "port = 9000\n").listen == ["tcp:9000:interface=127.0.0.1"]
    assert config(file, "port = 9000\n", ("listen", "0.0.0.0:80")).listen == ["tcp:80:interface=0.0.0.0"]
    assert config(file, 'listen = "0.0.0.0:80"\n', PYPID_PORT="81").listen == ["tcp:81:interface=127.0.0.1"]


def test_what_kubernetes_sets_is_left_alone(file: Path) -> None:
    variables = {"PYPID_PORT": "tcp://10.0.0.1:80", "PYPID_SERVICE_HOST": "10.0.0.1"}
    variables |= {"PYPID_SERVICE_PORT": "80", "PYPID_PORT_80_TCP": "tcp://10.0.0.1:80", "PYPID_OPTIONS": ""}
    assert config(file, "", **variables).listen == ["tcp:8080:interface=127.0.0.1"]


@pytest.mark.parametrize(
    ("variable", "hint"), [("PYPID_MAX_UPLAOD", "PYPID_MAX_UPLOAD"), ("PYPID_UPSTREAMS", "PYPID_UPSTREAM")]
)
def test_a_mistyped_variable_is_refused(file: Path, variable: str, hint: str) -> None:
    with pytest.raises(WrongConfiguration, match=f"^{variable}: .*did you mean {hint}"):
        config(file, "", **{variable: "2K"})


def test_tables_and_strings_are_the_same(file: Path) -> None:
    text = """
[[upstream]]
type = "proxy"
url = "https://index.example.org:8443/simple/"
min-age = "3d"
allow = ["foo", "bar"]
hosts = ["files.example.org:444"]
offline = true
allow-http = false
[[upstream]]
type = "none"
[[auth]]
type = "htpasswd"
file = "/etc/pypid/htpasswd"
optional = true
legacy = true
[access]
type = "rules"
file = "/etc/pypid/rules.toml"
"""
    read = config(file, text)
    assert read.upstreams == [
        "proxy:https://index.example.org:8443/simple/:min-age=3d:allow=foo,bar"
        ":hosts=files.example.org\\:444:offline",
        "none",
    ]
    assert read.auth == ["htpasswd:/etc/pypid/htpasswd:optional:legacy=yes"]
    assert read.access == "rules:/etc/pypid/rules.toml"


def test_the_same_words_in_another_place_have_its_spelling(file: Path) -> None:
    """Who writes a file is told what to write in the file."""
    for text, expected in (
        (
            'listen = ":80"\n',
            'write listen = "127.0.0.1:80" for this machine alone, or listen = "0.0.0.0:80"',
        ),
        ('reserve = "a,b"\n', 'repeat the option, reserve = ["a", "b"]'),
        ('uploads = "strict"\nold-archives = "egg"\n', "leave out old-archives"),
    ):
        with pytest.raises(WrongConfiguration) as raised:
            config(file, text)
        assert expected in str(raised.value)
        assert str(raised.value).startswith(f"{file}:2: ")
    with pytest.raises(WrongConfiguration, match=r"write PYPID_LISTEN=127\.0\.0\.1:80 for"):
        config(file, "", PYPID_LISTEN=":80")


def test_all_mistakes_are_found_at_once(file: Path) -> None:
    with pytest.raises(WrongConfiguration) as raised:
        config(file, 'realm = 1\nkeep-alive = "a"\nmaxupload = "1K"\n', ("uploads", "lax"))
    lines = [(problem.origin.source, problem.origin.line) for problem in raised.value.problems]
    assert lines == [(Source.FLAG, 0), (Source.FILE, 2), (Source.FILE, 3), (Source.FILE, 4)]
    assert "(and 3 more: see `pypid config check`)" in str(raised.value)

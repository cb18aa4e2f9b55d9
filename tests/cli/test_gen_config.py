"""The files that ``pypid gen-config`` writes, and those in ``etc/``, which are the same."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypid.cli.main import main
from pypid.cli.site_files.facts import Facts
from pypid.cli.site_files.targets import TARGETS, render, shipped

ETC = Path(__file__).parents[2] / "etc"
IN_CONTAINERS = {"docker", "compose", "kubernetes", "socket", "logrotate", "prometheus"}
"""Those that have no path of the installation."""
OF_CLIENTS = {"pip", "uv", "poetry", "pypirc"}


def gen_config(*words: str | Path, **variables: str) -> Result:
    """Run the verb."""
    return CliRunner().invoke(main, [str(word) for word in words], env={"PYPID_ROOT": "", **variables})


@pytest.mark.parametrize("path", shipped())
def test_etc_has_what_is_written_for_the_defaults(path: str) -> None:
    assert (ETC / path).read_text() == shipped()[path], "etc/ is written by the function shipped()"


def test_etc_has_nothing_else_of_these_programs() -> None:
    """A file that is in no target would be kept by hand; those of Prometheus and Grafana are."""
    found = {str(path.relative_to(ETC)) for path in ETC.rglob("*") if path.is_file()}
    assert {path for path in found if not path.startswith("prometheus/")} <= set(shipped())


@pytest.mark.parametrize("name", TARGETS)
def test_each_is_written_from_the_live_configuration(name: str, tmp_path: Path) -> None:
    """With absolute paths of this installation, and with what flags, variables and the file say."""
    file = tmp_path / "pypid.toml"
    file.write_text('root = "data"\npublic-url = "https://index.example.net/"\n')
    result = gen_config("--config", file, "gen-config", name, "--reserve", "acme-*", PYPID_REALM="team")
    assert result.exit_code == 0, result.output
    text = result.stdout
    assert "/opt/pypid" not in text
    assert "packages.example.org" not in text or name in IN_CONTAINERS
    if name in OF_CLIENTS | {"nginx", "apache", "caddy", "haproxy"}:
        assert "index.example.net" in text
    elif name not in IN_CONTAINERS:
        assert str(tmp_path) in text
    if name in ("systemd", "sysv", "supervisor"):
        assert f"--config {file}" in text
        assert "--reserve acme-*" in text
        assert "--realm team" in text


def test_addresses_are_passed_on(tmp_path: Path) -> None:
    where = ("--root", tmp_path, "gen-config")
    assert "ListenStream=0.0.0.0:81\n" in gen_config(*where, "socket", "--listen", "0.0.0.0:81").stdout
    assert (
        "--listen tcp:81:interface=\\:\\:1 " not in gen_config(*where, "nginx", "--listen", "[::1]:81").stdout
    )
    assert "server [::1]:81;" in gen_config(*where, "nginx", "--listen", "[::1]:81").stdout
    assert "server 127.0.0.1:81;" in gen_config(*where, "nginx", "--listen", "0.0.0.0:81").stdout
    supervisor = gen_config(*where, "supervisor", "--listen", "[::1]:81").stdout
    assert "--listen tcp:81:interface=\\:\\:1\n" in supervisor
    assert "--listen 127.0.0.1:81" in gen_config(*where, "sysv", "--port", "81").stdout


def test_offload_is_switched_on_if_it_is_configured(tmp_path: Path) -> None:
    words = ("--root", tmp_path, "gen-config")
    nginx = gen_config(*words, "nginx", "--offload", "nginx:/f/", "--trust-proxy", "127.0.0.1").stdout
    assert f"\n    location /f/ {{\n        internal;\n        alias {tmp_path}/;\n" in nginx
    apache = gen_config(*words, "apache", "--offload", "apache", "--trust-proxy", "127.0.0.1").stdout
    assert f"\n    XSendFilePath {tmp_path}\n" in apache
    assert "\n#    XSendFilePath" in gen_config(*words, "apache").stdout


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (["--root", "/var/my pypi", "gen-config", "systemd"], "'/var/my pypi' has a blank", 1),
        (["--root", "/x", "gen-config", "cron", "--realm", "my team"], "'my team' has a blank", 1),
        (["--root", "/x", "gen-config", "sysv", "--realm", "$(reboot)"], "or another character", 1),
        (["--root", "/x", "gen-config", "nginx", "--listen", "/run/x"], "on one TCP address", 1),
        (["--root", "/x", "gen-config", "nginx", "--port", "1", "--port", "2"], "on one TCP address", 1),
        (["gen-config", "nginx"], "--root is missing", 1),
        (["--root", "/x", "gen-config", "lighttpd"], "is not one of 'systemd'", 2),
        (["--root", "/x", "gen-config"], "Missing argument 'TARGET'", 2),
        (["--root", "/x", "gen-config", "nginx", "--max-upload", "much"], "--max-upload: ", 1),
        (["--root", "/x", "gen-config", "nginx", "--nonsense", "1"], "--nonsense", 1),
    ],
)
def test_what_cannot_be_written_is_told(words: list[str], said: str, status: int) -> None:
    """In one line, and nothing is written."""
    result = gen_config(*words)
    assert (result.exit_code, result.stdout) == (status, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_clients_read_theirs() -> None:
    facts = Facts(public_url="http://index.example.net/pypi/")
    for name in ("uv", "poetry"):
        assert "http://index.example.net/pypi/simple/" in str(tomllib.loads(render(name, facts)))
    for name, section in (("pip", "global"), ("pypirc", "pypid")):
        parser = configparser.ConfigParser()
        parser.read_string(render(name, facts))
        assert "http://index.example.net/pypi/" in str(dict(parser[section]))
    pip = configparser.ConfigParser()
    pip.read_string(render("pip", facts))
    assert pip["global"]["trusted-host"] == "index.example.net"

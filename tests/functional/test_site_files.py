"""Each program finds nothing wrong with its own file, neither that in ``etc/`` nor one for other facts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from attrs import evolve
from harness.certificates import make_certificates
from harness.processes import require_tool, run, script

from pypid.cli.site_files.facts import Facts
from pypid.cli.site_files.targets import render

HERE = Facts(twistd=script("twistd"), pypid=script("pypid"), user="nobody")
OTHER = evolve(
    HERE,
    root="/srv/pypi",
    config="/etc/pypid/pypid.toml",
    options=("--reserve", "acme-*", "--realm", "team"),
    host="::1",
    port=81,
    public_url="https://index.example.net/pypi/",
    offload="nginx:/f/",
)
PLAIN = evolve(OTHER, public_url="http://index.example.net:8081/", offload="apache")
every_kind = pytest.mark.parametrize("facts", [HERE, OTHER, PLAIN], ids=["usual", "other", "plain"])


def with_certificate(text: str, facts: Facts, directory: Path) -> str:
    """Let a file find certificates, and keep its logs and ports to this test."""
    make_certificates(directory)
    (directory / "both.pem").write_bytes(
        b"".join((directory / f"server.{end}").read_bytes() for end in ("pem", "key"))
    )
    for old, new in (
        (f"/etc/ssl/certs/{facts.server}.pem", f"{directory}/server.pem"),
        (f"/etc/ssl/private/{facts.server}.key", f"{directory}/server.key"),
        (f"/etc/ssl/private/{facts.server}.pem", f"{directory}/both.pem"),
        ("/var/log/nginx/", f"{directory}/"),
        ("/var/log/apache2/", f"{directory}/"),
    ):
        text = text.replace(old, new)
    return text


@every_kind
def test_nginx(facts: Facts, tmp_path: Path) -> None:
    nginx = require_tool("nginx", "apt-get install nginx")
    site = with_certificate(render("nginx", facts), facts, tmp_path)
    if facts.prefix != "/":
        head, mark, locations = site.partition("# These go into")
        site = f"{head}\nserver {{\nlisten 8081;\n{mark}{locations}}}\n"
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid;\nevents {{ }}\nhttp {{\naccess_log off;\n{site}}}\n")
    assert "test is successful" in run([nginx, "-t", "-c", main, "-p", tmp_path, "-e", tmp_path / "errors"])


@every_kind
def test_apache(facts: Facts, tmp_path: Path) -> None:
    apache = require_tool("apache2", "apt-get install apache2")
    modules = (
        "mpm_event",
        "authz_core",
        "alias",
        "reqtimeout",
        "ssl",
        "headers",
        "proxy",
        "proxy_http",
        "xsendfile",
    )
    lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules]
    site = with_certificate(render("apache", facts), facts, tmp_path)
    main = tmp_path / "apache2.conf"
    main.write_text(
        f"ServerRoot {tmp_path}\nServerName localhost\nPidFile {tmp_path}/pid\nErrorLog {tmp_path}/errors\n"
        + "\n".join([*lines, "Listen 8081", site])
    )
    assert "Syntax OK" in run([apache, "-t", "-f", main])


@every_kind
def test_caddy(facts: Facts, tmp_path: Path) -> None:
    caddy = require_tool("caddy", "apt-get install caddy")
    (tmp_path / "Caddyfile").write_text(render("caddy", facts))
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = [caddy, "validate", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"]
    assert "Valid configuration" in run(command, environment=environment)


@every_kind
def test_haproxy(facts: Facts, tmp_path: Path) -> None:
    haproxy = require_tool("haproxy", "apt-get install haproxy")
    (tmp_path / "haproxy.cfg").write_text(with_certificate(render("haproxy", facts), facts, tmp_path))
    said = run([haproxy, "-c", "-f", tmp_path / "haproxy.cfg"])
    assert "Configuration file is valid" in said
    assert "ALERT" not in said


@every_kind
def test_systemd(facts: Facts, tmp_path: Path) -> None:
    """It understands the units, and finds little that is left open."""
    analyze = require_tool("systemd-analyze", "apt-get install systemd")
    for name in ("service", "socket"):
        text = render("systemd" if name == "service" else name, evolve(facts, user="pypid"))
        (tmp_path / f"pypid.{name}").write_text(text)
    units = [tmp_path / "pypid.service", tmp_path / "pypid.socket"]
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    assert run([analyze, "verify", *units], environment=environment).strip() == ""
    run([analyze, "security", "--offline=true", "--no-pager", "--threshold=20", units[0]])


def test_a_newer_systemd_is_told_when_to_reload() -> None:
    """Which the one that these tests run with may not understand."""
    assert "\nType=notify-reload\n" in render("systemd", evolve(HERE, is_new_systemd=True))
    assert "\nType=notify\n" in render("systemd", HERE)


@every_kind
def test_init_script(facts: Facts, tmp_path: Path) -> None:
    for name in ("sysv", "default"):
        (tmp_path / name).write_text(render(name, facts))
        assert run(["sh", "-n", tmp_path / name]) == ""
    assert run(["sh", tmp_path / "sysv", "status"], status=3) == "pypid: not running\n"


@every_kind
def test_logrotate(facts: Facts, tmp_path: Path) -> None:
    logrotate = require_tool("logrotate", "apt-get install logrotate")
    text = render("logrotate", facts).replace("su nobody nobody", "su nobody nogroup")
    text = text.replace("0644 nobody nobody", "0644 nobody nogroup")
    (tmp_path / "logrotate").write_text(text)
    said = run([logrotate, "-d", "-s", tmp_path / "state", tmp_path / "logrotate"])
    assert "error" not in said


@every_kind
def test_containers(facts: Facts) -> None:
    """YAML is read as it is meant: keys once, and lists of words."""
    compose = yaml.safe_load(render("compose", facts))
    assert set(compose["services"]) == {"alone", "open", "htpasswd", "behind-nginx", "nginx"}
    for name, service in compose["services"].items():
        assert len(service["profiles"]) == 1
        if name != "nginx":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    if facts.options:
        assert compose["services"]["alone"]["command"] == list(facts.options)
    kinds = [each["kind"] for each in yaml.safe_load_all(render("kubernetes", facts))]
    assert kinds == ["PersistentVolumeClaim", "Service", "Deployment"]
    prometheus = yaml.safe_load(render("prometheus", facts))
    assert prometheus["scrape_configs"][0]["metrics_path"] == "/+metrics"


def test_cron_runs_what_there_is() -> None:
    [line] = [line for line in render("cron", HERE).splitlines() if line.startswith("23 ")]
    words = line.split()
    assert words[5] == "nobody"
    assert "Usage" in run([*words[6 : words.index("check") + 1], "--help"])


def test_pip_takes_its_file(tmp_path: Path, pip_python: Path) -> None:
    (tmp_path / "pip.conf").write_text(render("pip", PLAIN))
    environment = {**os.environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    said = run([pip_python, "-m", "pip", "config", "list"], environment=environment)
    assert "http://index.example.net:8081/simple/" in said


def test_uv_takes_its_file(tmp_path: Path) -> None:
    """It names the index that it could not reach, so it has read where that is."""
    (tmp_path / "uv.toml").write_text(render("uv", evolve(PLAIN, public_url="http://127.0.0.1:9/pypi/")))
    target = ("--target", tmp_path / "target", "--cache-dir", tmp_path / "cache")
    command = [script("uv"), "pip", "install", "--config-file", tmp_path / "uv.toml", *target, "sample"]
    environment = {**os.environ, "UV_HTTP_RETRIES": "0", "NO_PROXY": "127.0.0.1"}
    said = run(command, environment=environment, status=None)
    assert "http://127.0.0.1:9/pypi/simple/sample/" in said

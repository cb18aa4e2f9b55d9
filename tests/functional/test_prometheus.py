"""Prometheus itself scrapes the daemon, and knows every figure that the alerts and the dashboard ask for."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import free_port, require_tool, run, running, script, wait_until
from harness.uploads import Upload

ETC = Path(__file__).parents[2] / "etc" / "prometheus"
_METRIC = re.compile(r"\b(?:pypid|process)_[a-z_]+\b")


def promtool() -> str:
    return require_tool("promtool", "apt-get install prometheus")


@contextmanager
def prometheus(directory: Path, job: dict[str, Any]) -> Iterator[str]:
    """Run Prometheus with the rules and one job, and yield its URL."""
    program = require_tool("prometheus", "apt-get install prometheus")
    (directory / "pypid.rules.yml").write_text((ETC / "pypid.rules.yml").read_text())
    config = directory / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": ["pypid.rules.yml"],
                "scrape_configs": [job],
            }
        )
    )
    run([promtool(), "check", "config", config])
    address = f"127.0.0.1:{free_port()}"
    command = [
        *(program, f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"),
        f"--web.listen-address={address}",
    ]
    with running(command, f"http://{address}/-/ready", directory / "prometheus.log"):
        yield f"http://{address}"


def query(url: str, expression: str) -> list[dict[str, Any]]:
    answer = ask(f"{url}/api/v1/query?query={quote(expression)}")
    assert answer.status == 200, f"{expression}: {answer.text}"
    found: list[dict[str, Any]] = json.loads(answer.body)["data"]["result"]
    return found


def expressions() -> list[str]:
    """Return what the alerts and the dashboard ask for."""
    rules = yaml.safe_load((ETC / "pypid.rules.yml").read_text())
    panels = json.loads((ETC / "grafana-dashboard.json").read_text())["panels"]
    return [
        *(rule["expr"] for group in rules["groups"] for rule in group["rules"]),
        *(target["expr"].replace("$instance", ".*") for panel in panels for target in panel["targets"]),
    ]


def test_prometheus_scrapes_the_daemon(
    daemon: Callable[..., Daemon], tmp_path: Path, users_file: Path, user: tuple[str, str]
) -> None:
    """On an endpoint of its own; every expression of the alerts and the dashboard is about what there is."""
    port = free_port()
    started = daemon("--auth", f"htpasswd:{users_file}", "--metrics", f"tcp:{port}:interface=127.0.0.1")
    assert Upload.of("acme", user).send(started).status == 200
    for _ in range(20):
        assert ask(f"{started.url}simple/acme/").status == 200
    metrics = f"http://127.0.0.1:{port}/+metrics"
    text = ask(metrics)
    checked = subprocess.run(
        [promtool(), "check", "metrics"], input=text.body, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    known = set(re.findall(r"^([a-z_]+)", text.text, re.MULTILINE))
    asked = {name for expression in expressions() for name in _METRIC.findall(expression)}
    assert asked <= known | {"pypid_upstream_cache_bytes"}, "it is known once something was kept"
    job = {
        "job_name": "pypid",
        "metrics_path": "/+metrics",
        "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
    }
    with prometheus(tmp_path, job) as url:
        wait_until(lambda: query(url, 'up{job="pypid"} == 1'), "it has been scraped")
        wait_until(
            lambda: query(url, 'pypid_http_requests_total{route="/simple/{name}/",status="200"} == 20'),
            "it knows the requests",
        )
        assert query(url, 'pypid_uploads_total{outcome="published"} == 1')
        assert query(url, 'pypid_sign_ins_total{outcome="accepted"} == 1')
        assert query(url, "pypid_catalog_projects == 1")
        for expression in expressions():
            query(url, expression)
        alerts = json.loads(ask(f"{url}/api/v1/rules").body)["data"]["groups"][0]["rules"]
        assert all(rule["health"] in ("ok", "unknown") and not rule.get("lastError") for rule in alerts)
        assert len(alerts) == 11
    assert started.url.encode() not in text.body


def test_metrics_are_for_tokens_with_that_scope_alone(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """Neither strangers nor users see them, nor any other token; and that token sees nothing else."""
    started = daemon("--access", "private", "--upstream", "none")
    (started.root / "htpasswd").write_text(users_file.read_text())

    def token(*scopes: str) -> str:
        words = [word for scope in scopes for word in ("--scope", scope)]
        command = [script("pypid"), "--root", started.root, "token", "create", "--user", user[0], *words]
        return run(command, environment=daemon_environment()).split()[0]

    def status(path: str, secret: str) -> int:
        return ask(f"{started.url}{path}", headers={"Authorization": f"Bearer {secret}"}).status

    metrics, reading = token("metrics"), token("read", "upload", "yank", "delete", "admin")
    assert ask(f"{started.url}+metrics").status == 401
    assert [status("+metrics", metrics), status("simple/", metrics)] == [200, 403]
    assert [status("+metrics", reading), status("simple/", reading)] == [403, 200]


@pytest.mark.parametrize("name", ["pypid.rules.yml"])
def test_promtool_finds_nothing_wrong_with_the_rules(name: str) -> None:
    assert "11 rules found" in run([promtool(), "check", "rules", ETC / name])


def test_the_job_is_taken_by_promtool() -> None:
    assert "SUCCESS" in run([promtool(), "check", "config", ETC / "prometheus.yml"])

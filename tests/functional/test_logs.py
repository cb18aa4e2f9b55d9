"""The log of a real daemon in both formats: each request by its id, each line for itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harness.daemon import Daemon
from harness.http import ask
from harness.processes import wait_until
from harness.scripted import RESET, ScriptedIndex
from harness.uploads import Upload


def test_json_logs_and_audit_lines(
    daemon: Callable[..., Daemon], tmp_path: Path, users_file: Path, user: tuple[str, str]
) -> None:
    """Each line is an object; the access line has the id of the answer, the user, and the time it took."""
    trail = tmp_path / "audit.log"
    started = daemon(
        *("--log-format", "json", "--audit-log", trail, "--upstream", "none"),
        *("--auth", f"htpasswd:{users_file}"),
    )
    answer = Upload.of("acme", user).send(started)
    assert answer.status == 200
    page = ask(f"{started.url}simple/acme/")

    def found() -> list[dict[str, object]]:
        return [json.loads(line) for line in started.log_text().splitlines()]

    def access(request_id: str) -> list[dict[str, object]]:
        return [one for one in found() if one.get("request") == request_id and "target" in one]

    ids = [answer.headers["X-Request-Id"], page.headers["X-Request-Id"]]
    wait_until(lambda: all(access(one) for one in ids), "both are in the log")
    [upload], [reading] = map(access, ids)
    assert (upload["user"], upload["status"], upload["target"]) == (user[0], 200, "/legacy/")
    assert (reading["user"], reading["cache"], reading["bytes"]) == ("", "miss", len(page.body))
    [published] = [one for one in found() if one["system"] == "pypid.audit"]
    assert published["request"] == ids[0], "what is done in coroutines and threads has the id, too"
    [line] = trail.read_text().splitlines()
    assert json.loads(line)["who"] == user[0]
    started.kill()  # its last line is an object, too, which the fixture would not know


def test_every_line_about_a_request_has_its_id(
    proxied: Callable[..., Daemon], scripted: ScriptedIndex
) -> None:
    """Also the one about the upstream that failed, in a log for people."""
    scripted.script("/simple/broken/", RESET)
    started = proxied("name=there")
    answer = ask(f"{started.url}simple/broken/")
    assert answer.status == 502
    request_id = answer.headers["X-Request-Id"]
    wait_until(lambda: started.log_text().count(request_id) == 2, "two lines have it")
    [about, access] = [line for line in started.log_text().splitlines() if request_id in line]
    assert f"({request_id}) " in about
    assert "connection" in about
    assert ' "GET /simple/broken/ HTTP/1.1" 502 ' in access
    assert access.endswith(f"{request_id} -")


def test_only_what_matters_is_logged_at_a_level(daemon: Callable[..., Daemon]) -> None:
    started = daemon("--log-level", "warn", "--upstream", "none")
    ask(f"{started.url}simple/acme/")
    started.kill()
    assert "GET" not in started.log_text()
    assert "serves" not in started.log_text()

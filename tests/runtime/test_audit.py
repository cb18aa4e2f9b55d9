"""The file of audit lines: whole lines, from several processes, also after it was renamed."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from twisted.logger import globalLogPublisher

from pypid.cli.main import main
from pypid.runtime.audit import AuditFile, audit
from pypid.testing.builds import wheel
from pypid.testing.web import MemorySite, basic, upload_form

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_clients_change_is_in_it(tmp_path: Path) -> None:
    """Sign-ins that fail, publications, yanks, people and removals; and no reading."""
    trail = AuditFile(tmp_path / "audit.log")
    globalLogPublisher.addObserver(trail)
    try:
        site, ci = MemorySite(), basic("ci", "secret")
        filename, content = wheel("acme", "1.0")
        form, body = upload_form(filename, content, "acme", "1.0")
        assert site.request("POST", "/legacy/", form | ci, body).status == 200
        assert site.request("POST", "/legacy/", form | ci, body).status == 200  # there is nothing to do
        assert site.request("GET", "/simple/acme/", basic("ci", "wrong\x1b")).status == 401
        assert site.request("GET", "/simple/acme/", basic("ci", "wrong")).status == 401
        assert site.get("/simple/acme/").status == 200
        for path, said in (("1.0/yank", b"reason=broken"), ("people", b"role=maintainer&add=bob")):
            assert site.request("POST", f"/project/acme/{path}", FORM | ci, said).status == 200
        assert site.request("DELETE", f"/packages/acme/{filename}", ci).status == 200
    finally:
        globalLogPublisher.removeObserver(trail)
        trail.close()
    found = [(one["action"], one["who"], one.get("project")) for one in lines(trail.path)]
    assert found == [
        ("publish", "ci", "acme"),
        ("sign-in", 'user "ci" from 127.0.0.1', None),
        ("yanked", "ci", "acme"),
        ("added as maintainer", "ci", "acme"),
        ("removed", "ci", "acme"),
    ]
    assert all(one["time"].endswith("+00:00") for one in lines(trail.path))
    assert filename in lines(trail.path)[0]["message"]


def test_what_the_command_changes_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    filename, content = wheel("acme", "1.0")
    project = tmp_path / "root" / "simple" / "acme"
    project.mkdir(parents=True)
    (project / filename).write_bytes(content)
    (tmp_path / "root" / "pypid.toml").write_text(f'audit-log = "{path}"\n')

    def pypid(*words: str, typed: str = "") -> None:
        done = CliRunner().invoke(main, ["--root", str(tmp_path / "root"), *words], input=typed)
        assert done.exit_code == 0, done.output

    pypid("yank", "acme", "1.0")
    pypid("yank", "acme", "1.0")
    pypid("status", "acme", "archived")
    pypid("status", "acme")
    pypid("user", "add", "ann", "--password-stdin", typed="correct horse battery\n")
    pypid("owner", "add", "acme", "ann")
    pypid("token", "create", "--user", "ann")
    pypid("remove", "acme", "--yes")
    found = lines(path)
    actions = [one["action"] for one in found]
    assert actions == ["yanked", "made archived", "user", "rights", "token", "removed"]
    assert {one["by"] for one in found} == {"command"}
    assert all(one["who"] for one in found)
    assert "correct horse" not in path.read_text()


def test_the_file_may_be_renamed_and_shared(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    trails = [AuditFile(path), AuditFile(path)]
    for trail in trails:
        trail.open()
        globalLogPublisher.addObserver(trail)
    try:
        audit("one\nline", action="test", who="\u202eevil\r\n")
        path.rename(tmp_path / "audit.log.1")
        audit("another", action="test", who="x")
    finally:
        for trail in trails:
            globalLogPublisher.removeObserver(trail)
            trail.close()
    assert [one["message"] for one in lines(tmp_path / "audit.log.1")] == ["one\nline"] * 2
    assert [one["message"] for one in lines(path)] == ["another"] * 2
    assert (tmp_path / "audit.log.1").read_text().isascii()

"""Permissions in the projects of a real daemon: founders, maintainers, rules in a file, strangers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from harness.conformance import write_users
from harness.daemon import Daemon, daemon_environment, refused_start
from harness.http import Answer, ask
from harness.processes import free_port, run, script, wait_until

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

Start = Callable[..., Daemon]
NAMES = ("ann", "bob", "cy")
ANN, BOB, CY = (basic(name, "secret") for name in NAMES)
STRANGER: dict[str, str] = {}


@pytest.fixture
def start(daemon: Start, tmp_path: Path) -> Start:
    """Start a daemon of three users that has no upstream."""
    users = write_users(tmp_path / "users", *((name, "secret") for name in NAMES))

    def start(*options: str | Path) -> Daemon:
        return daemon("--upstream", "none", "--auth", f"htpasswd:{users}", *options)

    return start


def upload(daemon: Daemon, who: dict[str, str], name: str = "acme-lib", version: str = "1.0") -> Answer:
    headers, body = upload_form(*wheel(name, version), name, version)
    return ask(f"{daemon.url}legacy/", "POST", headers=headers | who, body=body)


def change(daemon: Daemon, who: dict[str, str], path: str, **form: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **who}
    return ask(f"{daemon.url}project/{path}", "POST", headers=headers, body=urlencode(form).encode())


def remove(daemon: Daemon, who: dict[str, str], version: str = "1.0") -> Answer:
    return ask(f"{daemon.url}project/acme-lib/{version}/", "DELETE", headers=who)


def owner(daemon: Daemon, *arguments: str) -> str:
    """Run the command beside the daemon; return what it did, without its notes on people it does not know."""
    command = [script("pypid"), "--root", daemon.root, "owner", *arguments]
    said = run(command, environment=daemon_environment())
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith("note: "))


def test_a_project_is_its_founders(start: Start) -> None:
    """After a restart on a deleted catalog, too: all of it is in the tree."""
    index = start()
    assert upload(index, ANN).status == 200
    assert upload(index, BOB, version="2.0").status == 200
    index.stop()
    (index.root / ".pypid" / "catalog.sqlite").unlink()
    index.start()
    for who, status in ((STRANGER, 401), (BOB, 403)):
        assert change(index, who, "acme-lib/1.0/yank").status == status
        assert remove(index, who).status == status
    assert change(index, ANN, "acme-lib/1.0/yank").status == 200
    assert change(index, ANN, "acme-lib/people", role="maintainer", add="bob").status == 200
    assert change(index, BOB, "Acme.Lib/1.0/unyank").status == 200
    assert remove(index, BOB).status == 403
    assert remove(index, ANN).status == 200


def test_the_command_names_owners_beside_the_daemon(start: Start) -> None:
    """What was copied in by hand belongs to nobody until then; what it says holds at the next request."""
    index = start()
    directory = index.root / "simple" / "acme-lib"
    directory.mkdir()
    filename, content = wheel("acme-lib", "1.0")
    (directory / filename).write_bytes(content)
    answer = remove(index, ANN)
    assert (answer.status, f"--root {index.root} owner add acme-lib NAME`" in answer.text) == (403, True)
    assert owner(index, "add", "Acme.Lib", "ann") == "ann is an owner of acme-lib\n"
    assert owner(index, "add", "acme-lib", "bob", "--maintainer") == "bob is a maintainer of acme-lib\n"
    assert owner(index, "list", "acme-lib") == "owner ann\nmaintainer bob\n"
    assert change(index, BOB, "acme-lib/1.0/yank").status == 200
    assert owner(index, "remove", "acme-lib", "bob", "--maintainer").startswith("bob is no longer")
    assert change(index, BOB, "acme-lib/1.0/unyank").status == 403
    assert remove(index, ANN).status == 200


RULES = """
[groups]
platform = ["ann", "bob"]
[default]
read = [":users"]
[[project]]
names = ["acme-*"]
read = [":platform"]
create = ["{creator}"]
upload = [":owners"]
"""


def test_rules_are_read_again_while_it_runs(start: Start, tmp_path: Path) -> None:
    """T04, T49: neither another spelling nor a file that is half written lets anybody in."""
    path = tmp_path / "rules.toml"
    path.write_text(RULES.format(creator="ann"))
    index = start("--access", f"rules:{path}")
    assert f"access   who may do what stands in {path}" in index.log_text()
    page = f"{index.simple}acme-lib/"
    assert upload(index, BOB).status == 403
    assert upload(index, ANN).status == 200
    assert upload(index, BOB, "Acme.Lib", "2.0").status == 403
    assert [ask(page, headers=who).status for who in (STRANGER, ANN, BOB, CY)] == [401, 200, 200, 403]
    assert upload(index, BOB, "acme-new").status == 403

    new = RULES.format(creator="bob")
    with path.open("w") as file:
        file.write(new[:-5])
        file.flush()
        assert upload(index, BOB, "acme-new").status == 403
        assert ask(page, headers=CY).status == 403
        file.write(new[-5:])
    wait_until(lambda: upload(index, BOB, "acme-new").status == 200, "the new rules hold", 10)
    assert upload(index, ANN, "acme-newer").status == 403
    assert f"{path}: changed; the new rules hold" in index.log_text()

    path.write_text("[default]\nread = [':anyon']\n")
    mistake = f"{path}: [default]: read: there is no ':anyon'"
    wait_until(lambda: mistake in index.log_text(), "the mistake is logged", 10)
    assert ask(page, headers=STRANGER).status == 401
    path.write_text(RULES.format(creator="ann"))
    wait_until(lambda: upload(index, ANN, "acme-newer").status == 200, "the right rules hold", 10)
    assert index.log_text().count(mistake) == 1


def test_strangers_may_upload_where_that_was_said(start: Start) -> None:
    index = start("--access", "anyone")
    assert "access   anyone may read and upload" in index.log_text()
    assert upload(index, STRANGER).status == 200
    assert upload(index, ANN, "other").status == 200
    assert change(index, STRANGER, "acme-lib/1.0/yank").status == 401
    assert change(index, ANN, "acme-lib/1.0/yank").status == 403
    assert change(index, ANN, "other/1.0/yank").status == 200


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        ("anyone", "say anyone:anyone"),
        ("rules:/nowhere/rules.toml", "cannot read the access rules /nowhere/rules.toml: No such file"),
        ("rules:{wrong}", "rules.toml: [default]: there is nothing called 'raed'"),
        ("rules", "rules needs a path: rules:FILE"),
        ("anyone:x", "anyone takes no argument"),
    ],
)
def test_what_stops_the_start(tmp_path: Path, access: str, expected: str) -> None:
    """In one line, and nobody is served."""
    wrong = tmp_path / "rules.toml"
    wrong.write_text("[default]\nraed = []\n")
    address = "0.0.0.0" if access == "anyone" else "127.0.0.1"
    listen = f"tcp:{free_port()}:interface={address}"
    description = access.format(wrong=wrong)
    said = refused_start("--root", tmp_path / "pypi", "--listen", listen, "--access", description)
    assert expected in said.strip().splitlines()[-1]


def test_help_tells_of_all_policies() -> None:
    said = run([script("twistd"), "-n", "pypid", "--help-access"], environment=daemon_environment())
    assert [word for word in ("open", "private", "anyone:anyone", "rules:FILE") if word not in said] == []

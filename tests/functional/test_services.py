"""systemd and supervisor accept the files of ``etc/``, and run the daemon accordingly."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from harness.daemon import QUIET
from harness.etc import ETC, substitute
from harness.privileges import keeping_the_right_to_read, open_directory, service_user
from harness.processes import free_port, require_tool, run, running, script


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """``systemd-analyze`` finds nothing to say about them, and little that is left open."""
    analyze = require_tool("systemd-analyze", "apt-get install systemd")
    service = substitute(
        (ETC / "systemd" / "pypid.service").read_text(),
        {"/opt/pypid/bin/twistd": script("twistd"), "/opt/pypid/bin/pypid": script("pypid")},
    )
    (tmp_path / "pypid.service").write_text(service)
    (tmp_path / "pypid.socket").write_text((ETC / "systemd" / "pypid.socket").read_text())
    units = (tmp_path / "pypid.service", tmp_path / "pypid.socket")
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    assert run([analyze, "verify", *units], environment=environment).strip() == ""
    said = run([analyze, "security", "--offline=true", "--no-pager", "--threshold=20", units[0]])
    assert "Overall exposure level" in said


def test_systemd_passes_its_socket(tmp_path: Path) -> None:
    """The unit's own command answers on the descriptor that the ``.socket`` names."""
    activate = require_tool("systemd-socket-activate", "apt-get install systemd")
    service = (ETC / "systemd" / "pypid.service").read_text()
    name = re.search(
        r"^FileDescriptorName=(.*)$", (ETC / "systemd" / "pypid.socket").read_text(), re.MULTILINE
    )
    command = re.search(r"^ExecStart=(.*) \$PYPID_OPTIONS$", service, re.MULTILINE)
    assert name is not None
    assert command is not None
    replacements = {"/opt/pypid/bin/twistd": script("twistd"), "/var/pypi": str(tmp_path / "pypi")}
    words = shlex.split(substitute(command[1], replacements))
    port = free_port()
    log = tmp_path / "log"
    listen = [activate, f"--listen=127.0.0.1:{port}", f"--fdname={name[1]}"]
    with running([*listen, *words], f"http://127.0.0.1:{port}/+health", log):
        assert (tmp_path / "pypi").is_dir()
    assert not any(sign in log.read_text() for sign in QUIET)


def test_supervisor_starts_and_stops(tmp_path: Path) -> None:
    """supervisord runs the program section, and ends the daemon with itself."""
    supervisord = require_tool("supervisord", "apt-get install supervisor")
    user, port = service_user(), free_port()
    with open_directory() as directory:
        root = directory / "pypi"
        root.mkdir()
        os.chown(root, user.uid, user.gid)
        replacements = {
            "/opt/pypid/bin/twistd": script("twistd"),
            "/var/pypi": str(root),
            "tcp:8080:": f"tcp:{port}:",
            "user=pypid": f"user={user.name}",
            "/var/log/pypid/supervised.log": str(directory / "log"),
        }
        section = substitute((ETC / "supervisor" / "pypid.conf").read_text(), replacements)
        main = (
            f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={directory}/pid\n"
        )
        settings = directory / "supervisord.conf"
        settings.write_text(main + section)
        command = [*keeping_the_right_to_read(), supervisord, "-c", str(settings)]
        with running(command, f"http://127.0.0.1:{port}/+health", tmp_path / "log"):
            assert (root / "simple").stat().st_uid == user.uid
        said = (directory / "log").read_text()
    assert "Server Shut Down" in said
    assert not any(sign in said for sign in QUIET)

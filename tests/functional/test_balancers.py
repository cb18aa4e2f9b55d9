"""Load balancers in front, and their health checks."""

from __future__ import annotations

import csv
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.daemon import Daemon
from harness.http import ask
from harness.processes import end, free_port, require_tool, wait_until

Start = Callable[..., Daemon]

HAPROXY = """\
global
    stats socket {directory}/stats mode 600
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend web
    bind 127.0.0.1:{port}
    default_backend index
backend index
    option httpchk
    server pypid 127.0.0.1:{backend} check inter 200ms rise 1 fall 1
"""


def test_fault_e2_haproxys_default_check(daemon: Start, tmp_path: Path) -> None:
    """It asks ``OPTIONS / HTTP/1.0``, of an index that needs a sign-in too."""
    haproxy = require_tool("haproxy", "apt-get install haproxy")
    started, port = daemon("--access", "private", "--upstream", "none"), free_port()
    main = tmp_path / "haproxy.cfg"
    main.write_text(HAPROXY.format(directory=tmp_path, port=port, backend=started.port))
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [haproxy, "-db", "-f", main], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait_until((tmp_path / "stats").exists, "haproxy is up")
        wait_until(lambda: _state(tmp_path / "stats")["check_status"] not in ("", "INI"), "it has looked")
        state = _state(tmp_path / "stats")
        assert (state["status"], state["check_code"]) == ("UP", "204"), state
        assert ask(f"http://127.0.0.1:{port}/+health").text.strip() == "ok"
    finally:
        end(process)


def _state(path: Path) -> dict[str, str]:
    """Ask haproxy what it thinks of the server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"show stat\n")
        with connection.makefile("r") as lines:
            rows = csv.DictReader(line.removeprefix("# ") for line in lines if line.strip())
            return next(row for row in rows if row["svname"] == "pypid")

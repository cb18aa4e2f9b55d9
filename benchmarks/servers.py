"""The contestants: started on a free port, asked for a page until they answer, and stopped again."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import unescape
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urljoin, urlsplit

__all__ = ["MEGABYTE", "Server", "bare", "fetch", "free_port", "links", "nginx", "pypid"]

MEGABYTE = 1024 * 1024
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 120
_JSON = "application/vnd.pypi.simple.v1+json"


def free_port() -> int:
    """Find a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Answer = tuple[int, Mapping[str, str], bytes]


def fetch(port: int, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Get a page on a new connection; give its status, its headers by lower-case name, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        body = response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body
    finally:
        connection.close()


def links(port: int, page: str) -> Mapping[str, str]:
    """Return the paths of the files on a project's page, by file name, whether it is JSON or HTML."""
    status, headers, body = fetch(port, page, {"Accept": f"{_JSON}, text/html;q=0.1"})
    if status != 200:
        raise RuntimeError(f"{page}: {status}")
    if headers["content-type"].startswith(_JSON):
        urls = [file["url"] for file in json.loads(body)["files"]]
    else:
        urls = re.findall(r'href="([^"#]+\.whl)["#]', body.decode())
    paths = [urlsplit(urljoin(page, unescape(url))).path for url in urls]
    return {path.rpartition("/")[2]: path for path in paths}


class Server:
    """A server that runs while it is the context.

    :param name: what the table calls it.
    :param command: its command line; ``{port}`` stands for the port.
    :param page: the path of a project's page on it, with ``{}`` for the name.
    :param ready: a path that it answers with 200 when it is ready.
    :param settings: variables for its environment.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        page: str = "/simple/{}/",
        ready: str = "/simple/",
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.port = free_port()
        self._command = [str(part).replace("{port}", str(self.port)) for part in command]
        self._page = page
        self._ready = ready
        self._environment = {**os.environ, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.launch()
        deadline = time.monotonic() + PATIENCE
        while not self.answers(self._ready):
            if time.monotonic() > deadline:
                self.__exit__()
                raise TimeoutError(f"{self.name} does not answer: {' '.join(self._command)}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def launch(self) -> None:
        """Start it, without waiting for it."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self._environment
        )

    def answers(self, path: str) -> bool:
        """Tell whether it answers yet."""
        try:
            return fetch(self.port, path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def path(self, project: str) -> str:
        """Give the path of a project's page."""
        return self._page.format(project)

    @property
    def index(self) -> str:
        """The path below which the pages of projects are."""
        return self._page.partition("{}")[0]

    def url(self, path: str) -> str:
        """Give the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def processes(self) -> list[int]:
        """The ids of its process and of those that it started."""
        assert self._process is not None
        found = [self._process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):  # of each thread
                with suppress(OSError):  # the thread has ended
                    found += map(int, children.read_text().split())
        return found

    def processor_time(self) -> float:
        """Give the seconds that it has kept a processor busy."""
        total = 0
        for pid in self.processes:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def calm_down(self) -> None:
        """Wait until it has done what it does of itself after its start."""
        busy = -1.0
        while self.processor_time() - busy > 0.05:
            busy = self.processor_time()
            time.sleep(2)

    def memory(self, field: str = "VmRSS") -> int:
        """Give the bytes that it has resident, or with ``VmHWM`` the most that it ever had."""
        total = 0
        for pid in self.processes:
            match = re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
            total += int(match[1]) * 1024 if match is not None else 0
        return total


def pypid(root: Path, *options: str, upstream: str = "none:", programs: Path | None = None) -> Server:
    """Serve a tree, as its users would, with its log in a file.

    :param programs: the directory of ``twistd``; by default that of this environment.
    """
    twistd = (programs or Path(sys.executable).parent) / "twistd"
    shutil.rmtree(root / "log", ignore_errors=True)
    (root / "log").mkdir()
    daemon = [twistd, "-n", "--pidfile=", "--logfile", root / "log" / "twistd.log"]
    listen = ["--listen", "tcp:{port}:interface=127.0.0.1"]
    command = [*daemon, "pypid", "--root", root, *listen, "--upstream", upstream, *options]
    return Server("pypid", command, ready="/+health")


def bare(body: Path, media_type: str, *, encoding: str = "", log: Path | None = None) -> Server:
    """Serve one page from memory with a ``twisted.web`` Resource, and no access log unless one is named."""
    script = Path(__file__).with_name("bare_resource.py")
    command = [sys.executable, script, "{port}", body, media_type, encoding, log or ""]
    return Server("bare Resource, access log" if log else "bare Resource", command, page="/", ready="/")


def nginx(root: Path, media_type: str, ready: str) -> Server:
    """Serve ``simple/<name>/index`` and ``index.gz`` as static files, with one worker."""
    user = "user root;" if os.getuid() == 0 else ""
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise FileNotFoundError("nginx is missing: apt-get install nginx-light")
    command = [binary, "-p", root, "-c", root / "nginx.conf", "-e", "stderr"]
    server = Server("nginx", command, ready=ready)
    (root / "nginx.conf").write_text(
        f"""{user} daemon off; worker_processes 1; pid nginx.pid;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; keepalive_requests 1000000000; etag on; gzip_static on; open_file_cache max=1000;
            client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
            scgi_temp_path tmp; default_type "{media_type}"; types {{ }}
            server {{ listen 127.0.0.1:{server.port}; root {root}; index index;
                location ~ \\.whl$ {{ sendfile on; tcp_nopush on; }} }}
        }}"""
    )
    (root / "tmp").mkdir(exist_ok=True)
    return server

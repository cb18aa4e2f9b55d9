"""P5x: files through nginx with its file of ``etc/``, with and without ``--offload``, beside nginx alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from attrs import evolve

from benchmarks import servers
from benchmarks.load import Rates
from benchmarks.loads import LOADS, Contestant, Load, measured, put_files
from benchmarks.servers import Server
from benchmarks.trees import NAME
from pypid.cli.site_files.facts import Facts
from pypid.cli.site_files.targets import render

__all__ = ["offloaded_files"]

NGINX, OFFLOADED = "nginx", "pypid behind nginx, --offload"
_MAIN = """\
{user} daemon off; worker_processes 1; pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
    scgi_temp_path tmp;
    include site.conf;
}}
"""


def offloaded_files(directory: Path, rounds: int, seconds: int) -> Iterator[list[str]]:
    """Measure them; give the rows of the table."""
    with ExitStack() as stack:
        filenames = put_files(directory / "simple" / NAME)
        static = stack.enter_context(servers.nginx(directory, "text/html", f"/simple/{NAME}/index"))
        found = {NGINX: static}
        for name, offload in (("pypid behind nginx", ""), (OFFLOADED, "nginx:/pypid-files/")):
            root = directory / f"root-{len(found)}"
            shutil.copytree(directory / "simple", root / "simple", copy_function=os.link)
            options = ("--trust-proxy", "127.0.0.1", *(("--offload", offload) if offload else ()))
            daemon = stack.enter_context(servers.pypid(root, *options))
            daemon.calm_down()
            found[name] = stack.enter_context(_in_front(root, daemon, offload))
        for load in LOADS:
            if load.row.startswith("P5 "):
                yield from _rows(load, filenames[load], found, rounds, seconds)


def _in_front(root: Path, daemon: Server, offload: str) -> Server:
    """Run nginx in front of a daemon with the file that ``pypid gen-config`` writes."""
    directory = root / "nginx"
    (directory / "tmp").mkdir(parents=True)
    binary = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        raise FileNotFoundError("nginx is missing: apt-get install nginx-light")
    command = [binary, "-p", directory, "-c", directory / "nginx.conf", "-e", "stderr"]
    server = Server(daemon.name, command, ready="/+health")
    facts = Facts(root=str(root), port=daemon.port, offload=offload)
    site = render("nginx", evolve(facts, public_url=f"http://127.0.0.1:{server.port}/"))
    (directory / "site.conf").write_text(site.replace("/var/log/nginx/", f"{directory}/"))
    (directory / "nginx.conf").write_text(_MAIN.format(user="user root;" if os.getuid() == 0 else ""))
    return server


def _rows(
    load: Load, filename: str, found: dict[str, Server], rounds: int, seconds: int
) -> Iterator[list[str]]:
    paths = {filename: f"/simple/{NAME}/{filename}"}
    contestants = {name: Contestant(server, paths) for name, server in found.items()}
    rates = measured(load, filename, contestants, rounds, seconds)
    for name, one in rates.items():
        ratio = median(
            mine.per_second / its.per_second
            for mine, its in zip(one.rounds, rates[NGINX].rounds, strict=True)
        )
        target = "; at least 0.5" if name == OFFLOADED else ""
        yield [
            load.row.replace("P5", "P5x"),
            name,
            _amount(one),
            f"± {one.spread / 2:.0%}",
            f"{ratio:.3g}{target}",
        ]


def _amount(rates: Rates) -> str:
    return f"{rates.per_second:,.1f}" if rates.per_second < 1000 else f"{rates.per_second:,.0f}"

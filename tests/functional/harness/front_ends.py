"""The files and command lines of Caddy and HAProxy, as ``pypid gen-config`` writes them."""

from __future__ import annotations

from pathlib import Path

from harness.etc import substitute
from harness.processes import require_tool

from pypid.cli.site_files.facts import Facts
from pypid.cli.site_files.targets import render

__all__ = ["caddy", "haproxy"]

_CADDY = """\
{{
	admin off
	skip_install_trust
	http_port {http}
	https_port {https}
	storage file_system {directory}/caddy
}}
"""
_HAPROXY = """\
global
    maxconn 200
defaults
    log global

"""


def caddy(directory: Path, url: str, ports: tuple[int, int], backend: int) -> list[str]:
    """Write a Caddyfile, and give the command that runs Caddy with it.

    :param ports: those for plain HTTP and for HTTPS.
    """
    program = require_tool("caddy", "apt-get install caddy")
    site = render("caddy", Facts(public_url=url, port=backend))
    end = site.rindex("}")
    text = f"{site[:end]}\ttls {directory}/server.pem {directory}/server.key\n}}\n"
    main = directory / "Caddyfile"
    main.write_text(_CADDY.format(http=ports[0], https=ports[1], directory=directory) + text)
    return ["env", f"HOME={directory}", program, "run", "--adapter", "caddyfile", "--config", str(main)]


def haproxy(directory: Path, url: str, ports: tuple[int, int], backend: int) -> list[str]:
    """Write a configuration, and give the command that runs HAProxy with it; see :func:`caddy`."""
    program = require_tool("haproxy", "apt-get install haproxy")
    pem = directory / "both.pem"
    pem.write_bytes((directory / "server.pem").read_bytes() + (directory / "server.key").read_bytes())
    text = render("haproxy", Facts(public_url=url, port=backend))
    replacements = {
        "bind :80\n": f"bind 127.0.0.1:{ports[0]}\n",
        f"bind :{ports[1]} ": f"bind 127.0.0.1:{ports[1]} ",
        "/etc/ssl/private/127.0.0.1.pem": str(pem),
    }
    main = directory / "haproxy.cfg"
    main.write_text(_HAPROXY + substitute(text, replacements))
    return [program, "-db", "-f", str(main)]

"""The files of other programs, by the names that ``pypid gen-config`` has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen
from jinja2 import Environment, PackageLoader, StrictUndefined

from pypid.cli.site_files.facts import Facts

__all__ = ["TARGETS", "Target", "render", "shipped"]

DEFAULT_LISTEN = Facts().listen


@frozen
class Target:
    """One kind of file."""

    template: str
    """The name of its template."""
    path: str
    """Where the one for the default facts is in ``etc/``."""
    summary: str
    """A short description, for the list of targets."""


TARGETS: Mapping[str, Target] = {
    "systemd": Target("pypid.service", "systemd/pypid.service", "the unit of the service"),
    "socket": Target("pypid.socket", "systemd/pypid.socket", "the unit that holds the port for it"),
    "sysv": Target("init.sh", "init.d/pypid", "an init script with an LSB header"),
    "default": Target("default", "default/pypid", "the settings of the init script"),
    "supervisor": Target("supervisor.conf", "supervisor/pypid.conf", "a program of supervisor"),
    "nginx": Target("nginx.conf", "nginx/pypid.conf", "nginx in front of pypid"),
    "apache": Target("apache.conf", "apache2/pypid.conf", "Apache 2.4 in front of pypid"),
    "caddy": Target("Caddyfile", "caddy/Caddyfile", "Caddy in front of pypid"),
    "haproxy": Target("haproxy.cfg", "haproxy/pypid.cfg", "HAProxy in front of pypid"),
    "docker": Target("Dockerfile", "docker/Dockerfile", "a container's image"),
    "compose": Target("compose.yaml", "docker/compose.yaml", "containers for docker compose, in four ways"),
    "kubernetes": Target("kubernetes.yaml", "kubernetes/pypid.yaml", "a deployment with its volume"),
    "logrotate": Target("logrotate", "logrotate.d/pypid", "the rotation of the init script's log"),
    "cron": Target("cron", "cron.d/pypid", "what is done at night"),
    "prometheus": Target("prometheus.yml", "prometheus/prometheus.yml", "a job of Prometheus"),
    "pip": Target("pip.conf", "clients/pip.conf", "the settings of pip"),
    "uv": Target("uv.toml", "clients/uv.toml", "the settings of uv"),
    "poetry": Target("poetry.toml", "clients/poetry.toml", "lines for a project that Poetry keeps"),
    "pypirc": Target("pypirc", "clients/pypirc", "the settings of twine and other uploaders"),
}
"""All targets, in the order in which people read them."""


def render(name: str, facts: Facts) -> str:
    """Return the file of a target."""
    options = " ".join(facts.options)
    listen = [] if facts.listen == DEFAULT_LISTEN else ["--listen", facts.listen]
    config = ["--config", facts.config] if facts.config else []
    names = [name for name in dir(facts) if not name.startswith("_")]
    values: dict[str, Any] = {name: getattr(facts, name) for name in names}
    values |= {
        "words": f"{options} " if options else "",
        "more_words": f" {options}" if options else "",
        "all_words": " ".join([*config, *listen, *facts.options]),
        # In a container the root is always the volume.
        "container_words": list(facts.options) or ["--public-url", facts.public_url],
    }
    return _environment().get_template(TARGETS[name].template).render(values)


def shipped() -> Mapping[str, str]:
    """Return the files of ``etc/`` by their paths there: those for the default facts."""
    files = {target.path: render(name, Facts()) for name, target in TARGETS.items()}
    plain = evolve(Facts(), public_url="http://packages.example.org/")
    for name, path in (("nginx", "nginx/pypid-plain.conf"), ("apache", "apache2/pypid-plain.conf")):
        files[path] = render(name, plain)
    return files


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pypid.cli.site_files"),
        autoescape=False,  # noqa: S701  none of these is HTML, and every value was checked
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Shell scripts have the usual mark of a comment.
        comment_start_string="{##",
        comment_end_string="##}",
    )
    environment.filters |= {
        "commented": _commented,
        "without_comments": _without_comments,
        "tabbed": _tabbed,
    }
    return environment


def _commented(text: str, really: bool = True) -> str:
    """Return lines as comments, if they are to be; they work once the ``#`` is taken away."""
    return "\n".join(f"#{line}" for line in text.split("\n")) if really else text


def _tabbed(text: str, depth: int = 1) -> str:
    """Return lines behind so many tabs."""
    return "\n".join("\t" * depth + line for line in text.split("\n"))


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line and not line.lstrip().startswith("#"))

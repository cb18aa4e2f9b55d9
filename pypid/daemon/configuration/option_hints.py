"""Hints for unknown options: the option to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["option_hint"]

_UNKNOWN = re.compile(r"option (?P<dashes>--?)(?P<name>[^ ]*) not recognized")
_ELSEWHERE = {
    "--listen 0.0.0.0:8080": ("i", "H", "host", "bind", "interface", "address", "addr"),
    "--port 8080": ("p",),
    "--auth htpasswd:FILE": ("P", "passwords", "password-file", "htpasswd", "users"),
    "--access private": ("a", "authenticate"),
    "--upstream URL": ("u", "fallback-url", "index-url", "mirror", "mirror-url", "proxy"),
    "--upstream none": ("disable-fallback", "no-upstream", "offline-mode"),
    "--root DIR": ("d", "r", "dir", "directory", "data", "data-dir", "packages", "path", "serverdir"),
    "--public-url URL": ("base-url", "outside-url", "server-base-url", "url"),
    "--max-upload SIZE": ("max-size", "max-request-body-size"),
    "--overwrite '*'": ("o",),
}
"""Other servers' names for an option, by the option here."""
_OF_TWISTD = {"n", "nodaemon", "pidfile", "logfile", "logger", "uid", "gid", "umask", "rundir", "chroot"} | {
    "l", "g", "d", "euid", "prefix", "syslog", "reactor", "debug", "spew", "profile"
}  # fmt: skip


def option_hint(complaint: str, known: Iterable[str]) -> str:
    """Return a hint to append to an error message about the command line; empty if there is none.

    :param complaint: the message of ``getopt``, which contains the unknown option.
    :param known: the names of the existing options, without dashes.
    """
    unknown = _UNKNOWN.fullmatch(complaint)
    if unknown is None:
        return ""
    name = unknown["name"]
    for written, names in _ELSEWHERE.items():
        if name in names:
            return f"; write {written}"
    if name in _OF_TWISTD:
        return f"; it is one of twistd, and goes before the word pypid: twistd {unknown['dashes']}{name}"
    close = [f"--{one}" for one in get_close_matches(name, known, n=2, cutoff=0.7)]
    return f"; did you mean {' or '.join(close)}?" if close else ""

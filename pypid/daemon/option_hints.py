"""What to write in place of an option that there is not."""

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
"""What other servers call it, by what it is here."""
_OF_TWISTD = {"n", "nodaemon", "pidfile", "logfile", "logger", "uid", "gid", "umask", "rundir", "chroot"} | {
    "l", "g", "d", "euid", "prefix", "syslog", "reactor", "debug", "spew", "profile"
}  # fmt: skip


def option_hint(complaint: str, known: Iterable[str]) -> str:
    """Return what to append to the complaint about a command line; nothing if there is nothing to say.

    :param complaint: what ``getopt`` says, which names the option.
    :param known: the names of the options that there are, without dashes.
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

"""Programs that start as root and continue as another user."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen
from harness.processes import require_tool, script


@frozen
class ServiceUser:
    """The user of a system service in these tests."""

    name: str
    """Its name."""
    group: str
    """The name of its group."""
    uid: int
    """Its number."""
    gid: int
    """The number of its group."""


def require_root() -> None:
    """Skip the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("needs root: run the tests as root")


def service_user() -> ServiceUser:
    """Return an unprivileged user if the tests run as root; otherwise the current one."""
    entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    return ServiceUser(entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name, entry.pw_uid, entry.pw_gid)


@contextmanager
def open_directory() -> Iterator[Path]:
    """Yield a temporary directory that, unlike pytest's own, every user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="pypid-"))
    try:
        directory.chmod(0o755)
        yield directory
    finally:
        shutil.rmtree(directory)


def keeping_the_right_to_read() -> list[str]:
    """Return the words before a command that starts as root and continues as another user.

    Empty, unless this interpreter or the checkout lies below a directory that is root's alone, as
    ``/root`` is: then nobody else could import anything from there.
    """
    needed = (Path(script("twistd")), Path(sys.base_prefix), Path(__file__))
    if os.geteuid() != 0 or all(_everybody_may_enter(path) for path in needed):
        return []
    setpriv = require_tool("setpriv", "apt-get install util-linux")
    right = "+dac_read_search"
    return [setpriv, "--securebits=+no_setuid_fixup", f"--inh-caps={right}", f"--ambient-caps={right}"]


def _everybody_may_enter(path: Path) -> bool:
    """Return whether everybody may enter all directories above ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)

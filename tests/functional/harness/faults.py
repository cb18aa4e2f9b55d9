"""System calls that fail in a running daemon, by strace."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness.daemon import Daemon
from harness.processes import end

__all__ = ["ONE_THREAD", "injected"]

ONE_THREAD = (sys.executable, "-P", str(Path(__file__).with_name("onethread.py")))
"""A twistd that does all its work in one thread, since strace counts calls for each thread."""


@contextmanager
def injected(daemon: Daemon, fault: str) -> Iterator[Path]:
    """Inject a fault into a running daemon, and yield the file that lists its occurrences.

    :param fault: the fault, as an argument of ``strace -e inject=``.
    """
    output = daemon.root.with_name("strace")
    command = ["strace", "-p", str(daemon.pid), "-o", str(output), "-e", f"inject={fault}"]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    if "attached" not in tracer.stderr.readline():
        pytest.skip("needs the right to trace: run as root, with CAP_SYS_PTRACE in containers")
    try:
        yield output
    finally:
        end(tracer)

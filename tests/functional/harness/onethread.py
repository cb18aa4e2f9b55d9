"""``twistd`` whose every pool works at once, in the reactor's thread: what it does, it does in one order.

Run as ``python onethread.py -n pypid ...``. A tracer can count on what comes when.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.scripts.twistd import run

from pypid.daemon import pools
from pypid.runtime.workers import InlineWorkers


class Inline(InlineWorkers):
    """Takes the place of a pool of threads."""

    def __init__(self, *args: Any) -> None:
        pass

    def startService(self) -> None:
        pass

    def stopService(self) -> None:
        pass


pools.Workers = Inline  # type: ignore[assignment,misc]
sys.argv[0] = "twistd"
run()

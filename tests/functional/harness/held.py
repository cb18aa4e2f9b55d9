"""``twistd`` in which a function waits, in all threads but the reactor's, until a file is there.

Run as ``python held.py MODULE:FUNCTION FILE -n pypid ...``. How many calls had to wait is told by the size of
``FILE.calls``.
"""

from __future__ import annotations

import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.scripts.twistd import run

where, path = sys.argv[1], Path(sys.argv[2])
module, _, name = where.partition(":")
*owners, name = name.split(".")
owner: Any = import_module(module)
for each in owners:
    owner = getattr(owner, each)
original = getattr(owner, name)


def held(*args: Any, **kwargs: Any) -> Any:
    """Wait, and call the function."""
    if threading.current_thread() is not threading.main_thread() and not path.exists():
        with path.with_name(f"{path.name}.calls").open("ab") as calls:
            calls.write(b".")
        while not path.exists():
            time.sleep(0.01)
    return original(*args, **kwargs)


setattr(owner, name, held)
sys.argv = ["twistd", *sys.argv[3:]]
run()

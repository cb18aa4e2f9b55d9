"""Showing how far a long piece of work is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from twisted.internet.task import LoopingCall

__all__ = ["progress"]

INTERVAL = 0.5
"""After how many seconds a bar is drawn again, though nothing is done."""


@contextmanager
def progress(
    label: str, length: int, detail: Callable[[], str], reactor: Any
) -> Iterator[Callable[[object], None]]:
    """Give what is to be told of each step that is done: it shows a bar on a terminal, and else a line.

    :param detail: says what else is worth knowing now.
    """
    if not sys.stderr.isatty():
        yield lambda what: click.echo(str(what))
        return
    bar: Any = click.progressbar(
        length=length, label=label, file=sys.stderr, show_pos=True, item_show_func=lambda _: detail()
    )
    with bar:
        drawing = LoopingCall(bar.render_progress)
        drawing.clock = reactor
        drawing.start(INTERVAL)
        try:
            yield lambda _: bar.update(1)
        finally:
            drawing.stop()

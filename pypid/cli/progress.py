"""The progress of long work, on a terminal or in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

__all__ = ["INTERVAL", "progress"]

INTERVAL = 0.5
"""Seconds between two drawings of a bar while no step is done."""


@contextmanager
def progress(
    label: str, length: int, detail: Callable[[], str], reactor: IReactorTime
) -> Iterator[Callable[[object], None]]:
    """Yield a function to call with each finished step. It moves a bar on a terminal, or prints a line.

    :param label: the text before the bar.
    :param length: the number of steps.
    :param detail: returns the text behind the bar.
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

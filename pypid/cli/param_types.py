"""Types of values on the command line, validated by the daemon's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import click

from pypid.errors import ConfigurationError

__all__ = ["Validated"]

T = TypeVar("T")


class Validated(click.ParamType[T], Generic[T]):
    """A value parsed by a function that raises :exc:`~pypid.errors.ConfigurationError` for a wrong one."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse a value."""
        try:
            return self._read(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)

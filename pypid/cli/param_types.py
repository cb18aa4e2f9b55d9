"""Values on the command line that are validated as the daemon vets its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import click

from pypid.errors import ConfigurationError

__all__ = ["Vetted"]

T = TypeVar("T")


class Vetted(click.ParamType[T], Generic[T]):
    """A value that a function reads, which raises :exc:`~pypid.errors.ConfigurationError` if it is wrong."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Read a value."""
        try:
            return self._read(value)
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)

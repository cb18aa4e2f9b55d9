"""A cache of the values used most recently, bounded by their weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import define, field

__all__ = ["WeightedLRU"]

T = TypeVar("T")


@define(eq=False)
class WeightedLRU(Generic[T]):
    """Keeps values by key, and drops the least recently used ones. For one thread."""

    limit: int
    """The greatest sum of all weights."""
    _values: OrderedDict[Hashable, tuple[T, int]] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> T | None:
        """Return a value, or ``None`` if it is not here, and count this as a use."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: T, weight: int) -> None:
        """Keep a value. It is kept even if it alone weighs more than the limit."""
        _, replaced = self._values.pop(key, (None, 0))
        self._values[key] = value, weight
        self._weight += weight - replaced
        while self._weight > self.limit and len(self._values) > 1:
            _, (_, lost) = self._values.popitem(last=False)
            self._weight -= lost

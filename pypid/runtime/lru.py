"""What was used last, up to a size."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from attrs import define, field

__all__ = ["WeightedLRU"]

T = TypeVar("T")


@define(eq=False)
class WeightedLRU(Generic[T]):
    """Keeps values by name, and lets go of those that were not used for longest."""

    limit: int
    """What the weights of all of them may sum up to."""
    _values: OrderedDict[str, tuple[T, int]] = field(factory=OrderedDict, init=False)
    _weight: int = field(default=0, init=False)

    def get(self, name: str) -> T | None:
        """Use a value, if it is there."""
        found = self._values.get(name)
        if found is None:
            return None
        self._values.move_to_end(name)
        return found[0]

    def put(self, name: str, value: T, weight: int) -> None:
        """Keep a value, which is not let go of at once even if it is too heavy."""
        _, replaced = self._values.pop(name, (None, 0))
        self._values[name] = value, weight
        self._weight += weight - replaced
        while self._weight > self.limit and len(self._values) > 1:
            _, (_, lost) = self._values.popitem(last=False)
            self._weight -= lost

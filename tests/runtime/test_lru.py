"""A cache of the most recently used values, of limited size."""

from hypothesis import given
from hypothesis import strategies as st

from pypid.runtime.lru import WeightedLRU


def test_what_was_not_used_goes_first() -> None:
    recent: WeightedLRU[int] = WeightedLRU(3)
    for number, name in enumerate("abc"):
        recent.put(name, number, 1)
    assert recent.get("a") == 0
    recent.put("d", 3, 1)
    assert [recent.get(name) for name in "abcd"] == [0, None, 2, 3]


def test_the_last_one_stays_however_heavy() -> None:
    recent: WeightedLRU[int] = WeightedLRU(3)
    recent.put("a", 1, 1)
    recent.put("b", 2, 100)
    assert (recent.get("a"), recent.get("b")) == (None, 2)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 5))))
def test_weights(puts: list[tuple[str, int]]) -> None:
    """What is kept is never too heavy together, and what would fit is never lost."""
    recent: WeightedLRU[int] = WeightedLRU(8)
    expected: dict[str, int] = {}
    for name, weight in puts:
        recent.put(name, weight, weight)
        expected.pop(name, None)
        expected[name] = weight
        while sum(expected.values()) > 8:
            expected.pop(next(iter(expected)))
        assert {name: value for name, (value, _) in recent._values.items()} == expected

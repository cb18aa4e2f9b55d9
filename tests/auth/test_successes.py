from twisted.internet.task import Clock

from pypid.auth.successes import LIFETIME, LIMIT, Successes


def test_lifetime() -> None:
    """A key is known for five minutes from when it was last verified, not from when it was last seen."""
    clock = Clock()
    successes = Successes(clock)
    assert b"key" not in successes
    successes.remember(b"key")
    clock.advance(LIFETIME - 1)
    assert b"key" in successes
    clock.advance(1)
    assert b"key" not in successes


def test_b276_clock_set_back() -> None:
    """A clock that was set back makes nothing last longer."""
    clock = Clock()
    clock.advance(3600)
    successes = Successes(clock)
    successes.remember(b"key")
    clock.rightNow -= 1800
    assert b"key" not in successes
    successes.remember(b"key")
    assert b"key" in successes


def test_t48_limit() -> None:
    """Of more than ten thousand keys the oldest go first."""
    successes = Successes(Clock())
    keys = [str(number).encode() for number in range(LIMIT + 1)]
    for key in [*keys[:LIMIT], keys[LIMIT - 1]]:
        successes.remember(key)
    assert keys[0] in successes
    for key in (keys[0], keys[LIMIT]):
        successes.remember(key)
    assert keys[0] in successes
    assert keys[1] not in successes
    assert keys[LIMIT] in successes


def test_forget() -> None:
    successes = Successes(Clock())
    successes.remember(b"key")
    successes.forget()
    assert b"key" not in successes

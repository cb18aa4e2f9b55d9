"""Samples: the share of the archives that a check reads from end to end."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from pypid.errors import ConfigurationError

__all__ = ["parse_share", "sampler"]

_SHARE = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)


def parse_share(text: str) -> float:
    """Return a share of 1 from a percentage such as ``5%``. :raises ConfigurationError: it is none."""
    match = _SHARE.fullmatch(text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise ConfigurationError(f"{text!r} is no share; write one as in 5%, at most 100%")
    return float(match[1]) / 100


def sampler(share: float, number: Callable[[], float] = random.random) -> Callable[[str], bool]:
    """Return a function that decides for the name of an archive whether it is read, always alike.

    :param share: the share of the archives to read; 1 for all.
    :param number: returns a random number from 0 to 1, exclusive.
    """
    chosen: dict[str, bool] = {}

    def reads(filename: str) -> bool:
        if share < 1 and filename not in chosen:
            chosen[filename] = number() < share
        return share >= 1 or chosen[filename]

    return reads

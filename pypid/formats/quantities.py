"""Sizes, durations and dates in the form that people write in options."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pypid.errors import ConfigurationError

__all__ = ["duration", "moment", "size", "written_duration", "written_size"]

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SIZE = re.compile(r"([0-9]{1,15})\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]{1,5})([smhdw])")


def size(text: str) -> int:
    """Return the number of bytes of a size such as ``1048576``, ``500M`` or ``1GiB`` (1024 cubed).

    :raises ConfigurationError: the text is not a size, or the size is 0.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigurationError(f"{text!r} is not a size; write it like 500M or 1GiB")
    return int(match[1]) * _UNITS[match[2].upper()]


def written_size(number: int) -> str:
    """Return a number of bytes as a text for people, such as ``1.5 GiB``."""
    if number < 1024:
        return f"{number} bytes"
    power = min((number.bit_length() - 1) // 10, 4)
    return f"{number / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def duration(text: str) -> timedelta:
    """Return a span of time from a text such as ``30s``, ``10m``, ``12h``, ``3d`` or ``1w``.

    :raises ConfigurationError: the text is not a span of time.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{text!r} is not a span of time; write it like 30s, 10m, 12h, 3d or 1w")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def written_duration(span: timedelta) -> str:
    """Return a span of whole seconds as a text that :func:`duration` reads."""
    seconds = int(span.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def moment(text: str) -> datetime:
    """Return a time in UTC from a text such as ``2026-01-31`` or ``2026-01-31T12:00:00+02:00``.

    A text without a time zone is in UTC.

    :raises ConfigurationError: the text is not a date.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{text!r} is not a date; write it like 2026-01-31") from None

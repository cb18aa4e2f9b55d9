"""The lines of the log: text for people, or one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.logger import LogEvent, eventAsText, formatTime

from pypid.formats.api_tokens import redacted
from pypid.formats.harmless_text import harmless
from pypid.runtime.request_id import current_request_id

__all__ = ["FORMATS", "json_lines", "text_lines"]

MAX_MESSAGE = 64 * 1024
"""Longest message in characters; of a longer one the beginning is logged."""


def text_lines(event: LogEvent) -> str:
    """Return the lines of an event for people; further lines of its message begin with a tab.

    An event of the access log has several lines, each of which stands for itself.
    """
    head = f"{formatTime(_time(event))} [{_system(event)}] "
    if (lines := event.get("access_lines")) is not None:
        return "".join(f"{head}{line}\n" for line in lines)
    message = _message(event)
    if not message:
        return ""
    request = _request(event)
    [first, *others] = message.split("\n")
    text = "\n\t".join(harmless(line, "\t") for line in (first, *others))
    return f"{head}{f'({request}) ' if request else ''}{text}\n"


def json_lines(event: LogEvent) -> str:
    """Return an event as a JSON object on a line: ``time``, ``level``, ``system``, ``message`` and more.

    ``request`` is the id of the request that has caused it; ``audit`` is what was changed, by whom.
    """
    if (lines := event.get("access_lines")) is not None:
        return "".join(f"{line}\n" for line in lines)
    message = _message(event)
    if not message:
        return ""
    found: dict[str, Any] = {
        "time": datetime.fromtimestamp(_time(event), UTC).isoformat(timespec="milliseconds"),
        "level": _level(event),
        "system": event.get("log_namespace") or event.get("system") or "-",
        "message": message,
    }
    if request := _request(event):
        found["request"] = request
    if isinstance(audit := event.get("audit"), dict):
        found["audit"] = audit
    # ASCII alone: no character of a message can break a line, or change the direction of text.
    return json.dumps(found, default=str).replace("\x7f", "\\u007f") + "\n"


FORMATS: dict[str, Callable[[LogEvent], str]] = {"text": text_lines, "json": json_lines}
"""The formats by the names that people use."""


def _message(event: LogEvent) -> str:
    """Return the message of an event, with the traceback of its failure; empty if there is none."""
    text: str = eventAsText(event, includeTimestamp=False, includeSystem=False)
    return redacted(text[:MAX_MESSAGE].rstrip("\n"))


def _time(event: LogEvent) -> float:
    time: float = event.get("log_time") or 0.0
    return time


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return str(level.name) if level is not None else "info"


def _system(event: LogEvent) -> str:
    """Return the part of the code that logs, with the level, as Twisted writes it."""
    system = event.get("log_system")
    if system is None:
        system = f"{event.get('log_namespace') or '-'}#{_level(event)}"
    return harmless(str(system).replace("\n", " "))


def _request(event: LogEvent) -> str:
    return str(event.get("request") or current_request_id.get())

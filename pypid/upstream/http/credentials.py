"""The user name and password, or token, for an upstream or a web proxy."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from pathlib import Path

from twisted.logger import Logger

from pypid.errors import CannotStart

__all__ = ["read_credentials"]

_log = Logger()
_CREDENTIALS = re.compile(r"[^:\x00-\x1f\x7f]+:[^\x00-\x1f\x7f]+")


def read_credentials(path: Path | None, variable: str | None) -> bytes | None:
    """Return the value of an ``Authorization`` header (RFC 7617), or ``None`` without a file or variable.

    :param path: a file with one line, ``USER:PASSWORD``.
    :param variable: the environment variable with such a line, used if there is no file.
    :raises CannotStart: the line cannot be read or is malformed. The message never contains it.
    """
    if path is not None:
        where = f"the credentials file {path}"
        try:
            text = path.read_text(encoding="utf-8")
            if path.stat().st_mode & 0o007:
                _log.warn("{where} can be read by everybody on this machine", where=where)
        except OSError as error:
            raise CannotStart(f"cannot read {where}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CannotStart(f"{where} is not UTF-8") from None
    elif variable is not None:
        where = f"the environment variable {variable}"
        text = os.environ.get(variable, "")
    else:
        return None
    text = text.strip()
    if _CREDENTIALS.fullmatch(text) is None:
        raise CannotStart(f"{where} should be one line, USER:PASSWORD; a token's user is often __token__")
    return b"Basic " + b64encode(text.encode())

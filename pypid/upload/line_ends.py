"""Forms whose lines end in a bare line feed.

``setup.py register`` and ``setup.py upload_docs`` have always sent such forms, also with the
setuptools of today, though lines of a form end in CRLF (RFC 2046, section 4.1.1).
"""

from __future__ import annotations

__all__ = ["LineEnds"]


class LineEnds:
    """Gives the lines of a form their proper ends, if the very first ones have bare line feeds.

    A file in such a form is changed too, where it has line feeds; its digests then tell. None
    of those who send one mean it to be kept.

    :param boundary: the form's boundary, without dashes in front.
    """

    def __init__(self, boundary: bytes) -> None:
        self._beginning = b"\n--" + boundary + b"\n"
        self._head = b""
        self._are_bare: bool | None = None

    def mended(self, data: bytes) -> bytes:
        """Give the next bytes of the form; a few of the first ones may be kept back until more come."""
        if self._are_bare is None:
            data, self._head = self._head + data, b""
            if len(data) < len(self._beginning) and self._beginning.startswith(data):
                self._head = data
                return b""
            self._are_bare = data.startswith(self._beginning)
        return data.replace(b"\n", b"\r\n") if self._are_bare else data

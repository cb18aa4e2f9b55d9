"""Forms with bare line feeds as line ends.

``setup.py register`` and ``setup.py upload_docs`` have always sent such forms, even with current
setuptools, although the lines of a form must end in CRLF (RFC 2046, section 4.1.1).
"""

from __future__ import annotations

__all__ = ["LineEnds"]


class LineEnds:
    """Replaces the line ends of a form by CRLF, if its first lines end in bare line feeds.

    The line feeds of a file in such a form are replaced too, so its digests differ from the announced
    ones. The clients that send such forms do not upload files to be published.

    :param boundary: the form's boundary, without the dashes before it.
    """

    def __init__(self, boundary: bytes) -> None:
        self._beginning = b"\n--" + boundary + b"\n"
        self._head = b""
        self._are_bare: bool | None = None

    def convert(self, data: bytes) -> bytes:
        """Return the next bytes of the form, with CRLF; the first few may be held back until more arrive."""
        if self._are_bare is None:
            data, self._head = self._head + data, b""
            if len(data) < len(self._beginning) and self._beginning.startswith(data):
                self._head = data
                return b""
            self._are_bare = data.startswith(self._beginning)
        return data.replace(b"\n", b"\r\n") if self._are_bare else data

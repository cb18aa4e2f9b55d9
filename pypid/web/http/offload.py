"""Files that the web server in front sends itself: X-Accel-Redirect of nginx, X-Sendfile of Apache.

The daemon decides whether a client may have a file, and answers with a header that names it and with no
body. The web server then sends the file with the headers of this answer, and does ranges and ``HEAD``.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from pypid.errors import ConfigurationError

__all__ = ["Offload"]

_PREFIX = re.compile(r"/(?:[A-Za-z0-9._~-]+/)+")


@frozen
class Offload:
    """How the files below one directory are handed over to the web server."""

    _root: Path
    """The directory, as the web server knows it."""
    _real: Path
    """The directory without symbolic links."""
    _prefix: str | None
    """The path of nginx's internal location; ``None`` for Apache, which takes paths of files."""

    @classmethod
    def of(cls, description: str, root: Path) -> Offload:
        """Return the way that a description names: ``nginx:/prefix/`` or ``apache``.

        :param root: the absolute path of the root directory, which the internal location leads to.
        :raises ConfigurationError: the description is neither.
        """
        kind, _, prefix = description.partition(":")
        if kind == "apache" and not prefix:
            return cls(root, root.resolve(), None)
        if kind == "nginx" and _PREFIX.fullmatch(prefix) is not None and ".." not in prefix.split("/"):
            return cls(root, root.resolve(), prefix)
        if kind == "nginx":
            hint = f"/{prefix.strip('/')}/" if prefix.strip("/").isalnum() else "/pypid-files/"
            raise ConfigurationError(
                f"{description!r} needs the path of nginx's internal location, with slashes around it: write"
                f" nginx:{hint}"
            )
        raise ConfigurationError(f"{description!r} is neither nginx:/prefix/ nor apache")

    def header(self, path: Path) -> tuple[bytes, bytes] | None:
        """Return the header that hands a file over, or ``None`` if the file is not below the directory.

        :param path: the absolute path of the file, without symbolic links.
        """
        try:
            below = path.relative_to(self._real)
        except ValueError:
            return None
        # Both decode the percent signs.
        if self._prefix is None:
            return b"X-Sendfile", quote(bytes(self._root / below), safe="/+~").encode("ascii")
        return b"X-Accel-Redirect", self._prefix.encode("ascii") + quote(bytes(below), safe="/+~").encode(
            "ascii"
        )

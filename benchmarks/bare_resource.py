"""The yardstick: one page from memory, and nothing around it but what Twisted needs.

``python bare_resource.py PORT FILE TYPE ENCODING LOG``; an empty LOG logs nothing.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

from twisted.internet import reactor
from twisted.python.log import startLogging
from twisted.python.logfile import LogFile
from twisted.web.http import CACHED
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Page(Resource):
    """The page."""

    isLeaf = True

    def __init__(self, body: bytes, media_type: bytes, encoding: bytes) -> None:
        super().__init__()
        self._body = body
        self._type = media_type
        self._encoding = encoding
        self._etag = b'"%s"' % sha256(body).hexdigest()[:32].encode()

    def render_GET(self, request: Request) -> bytes:
        """Answer with the page, or with nothing if the client has it."""
        request.setHeader(b"Content-Type", self._type)
        if self._encoding:
            request.setHeader(b"Content-Encoding", self._encoding)
        return b"" if request.setETag(self._etag) is CACHED else self._body


def main(port: str, file: str, media_type: str, encoding: str, log: str) -> None:
    """Serve."""
    if log:
        startLogging(LogFile.fromFullPath(log), setStdout=False)
    page = Page(Path(file).read_bytes(), media_type.encode(), encoding.encode())
    reactor.listenTCP(int(port), Site(page), interface="127.0.0.1")
    reactor.run()


main(*sys.argv[1:])

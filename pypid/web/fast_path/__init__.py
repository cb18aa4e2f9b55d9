"""The fast path: what was answered just now is answered again without the routes.

A client sends the same header lines with every request, apart from credentials, conditions and ranges.
So a block of header lines is interpreted once, for a request on the normal path: Twisted has parsed it,
and the validation of its head has accepted it. When the same block arrives again, with a plain request
for a cached page, a sidecar file that is kept, or a file that can be opened at once, and this is still
valid, the response equals the route's response byte for byte, and the access checks are the same. All
other requests take the normal path.
"""

from pypid.web.fast_path.answers import FastPath
from pypid.web.fast_path.fast_channel import FastPathChannel
from pypid.web.fast_path.header_blocks import MAX_REMEMBERED

__all__ = ["MAX_REMEMBERED", "FastPath", "FastPathChannel"]

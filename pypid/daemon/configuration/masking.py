"""Values as they are shown to people: without the secrets in them."""

from __future__ import annotations

import re

__all__ = ["MASK", "masked"]

MASK = "***"

_PASSWORD_IN_URL = re.compile(r"(?P<before>://[^/@\s:]*):[^/@\s]*@")
_NAMED = re.compile(
    r"(?P<name>(?:^|[:?&;,\s])[\w-]*(?:password|passwd|secret|token|apikey|api-key))=[^:&;,\s]*",
    re.IGNORECASE,
)
_CRED = re.compile(r"^(?P<kind>cred:memory):.*", re.DOTALL)


def masked(text: str) -> str:
    """Return a value with ``***`` in the place of each password, token or key in it.

    These are passwords in URLs, the values of names such as ``password=``, and what Twisted's ``memory:``
    checker has after its colon. Paths of files with secrets are shown.
    """
    text = _CRED.sub(rf"\g<kind>:{MASK}", text)
    text = _PASSWORD_IN_URL.sub(rf"\g<before>:{MASK}@", text)
    return _NAMED.sub(rf"\g<name>={MASK}", text)

"""Pages of other indexes: parsed with validation, and serialized for the cache."""

from pypid.upstream.pages.json_pages import enrich, is_incomplete
from pypid.upstream.pages.parse import ACCEPT, MAX_PAGE, read_page, unusable_page
from pypid.upstream.pages.serialize import read_cached_page, write_page

__all__ = [
    "ACCEPT",
    "MAX_PAGE",
    "enrich",
    "is_incomplete",
    "read_cached_page",
    "read_page",
    "unusable_page",
    "write_page",
]

"""What other indexes say of their projects: read with care, and written down to be read again."""

from pypid.upstream.pages.json_pages import enrich, lacks_something
from pypid.upstream.pages.parse import ACCEPT, MAX_PAGE, read_page, refused
from pypid.upstream.pages.serialize import read_kept_page, write_page

__all__ = [
    "ACCEPT",
    "MAX_PAGE",
    "enrich",
    "lacks_something",
    "read_kept_page",
    "read_page",
    "refused",
    "write_page",
]

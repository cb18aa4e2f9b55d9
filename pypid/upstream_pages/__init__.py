"""What other indexes say of their projects: read with care, and written down to be read again."""

from pypid.upstream_pages.legacy import enrich, lacks_something
from pypid.upstream_pages.reading import ACCEPT, MAX_PAGE, read_page, refused
from pypid.upstream_pages.writing import read_kept_page, write_page

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

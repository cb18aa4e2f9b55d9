"""Distribution archives, of which anything must be expected.

They are read where they lie, within bounds, and never extracted to disk.
"""

from pypid.archives.inspection import Inspection, inspect
from pypid.archives.metadata_files import core_metadata

__all__ = ["Inspection", "core_metadata", "inspect"]

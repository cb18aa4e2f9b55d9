"""Distribution archives, which may be damaged or hostile.

They are read in place, within bounds, and never extracted to disk.
"""

from pypid.archives.inspection import Inspection, inspect
from pypid.archives.metadata_files import core_metadata

__all__ = ["Inspection", "core_metadata", "inspect"]

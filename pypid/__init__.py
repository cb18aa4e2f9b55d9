"""pypid, a Python package index that a team runs itself."""

__all__ = ["__version__"]

__version__ = "0.1.0"

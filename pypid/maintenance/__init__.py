"""Looking after an index: checks and repairs of its tree and catalog, backups, and tests of file systems."""

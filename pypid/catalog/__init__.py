"""The content of pages and the journal of changes: derived from a storage, kept in SQLite."""

"""What pages show, and a journal of how it came to be: derived from a storage, kept in SQLite."""

"""The built-in storages: an ordinary directory tree, and memory."""

"""The daemon: its options, its plugins, and its start and end."""

"""The daemon: its configuration, the loading of plugins, and the service."""

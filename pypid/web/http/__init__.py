"""The index's HTTP: connections, requests, bodies and responses."""

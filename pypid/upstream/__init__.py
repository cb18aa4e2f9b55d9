"""The built-in upstreams: where to ask for projects that are not here."""

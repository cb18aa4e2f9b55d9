"""The built-in upstreams, which have the projects that are not local."""

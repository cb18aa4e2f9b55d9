"""The HTTP client: what is asked of upstreams, and where it may lead."""

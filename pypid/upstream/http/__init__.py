"""The HTTP client for upstreams: connections, credentials, web proxies and allowed hosts."""

"""Files of upstreams: downloaded, verified, cached and sent."""

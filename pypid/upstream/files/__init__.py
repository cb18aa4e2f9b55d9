"""Files of upstreams: fetched, checked, kept and sent."""

"""Which URL is answered by what."""

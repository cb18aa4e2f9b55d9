"""The command ``pypid``, for the people who run an index."""

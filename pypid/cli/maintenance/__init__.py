"""The verbs for looking after an index."""

"""The files of other programs that run, front or use an index: what ``pypid gen-config`` writes."""

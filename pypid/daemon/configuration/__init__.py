"""The configuration: the schema of all options, and their values from flags, variables and the file."""

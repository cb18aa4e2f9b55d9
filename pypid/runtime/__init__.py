"""Tools around Twisted and the machine, for all other packages."""

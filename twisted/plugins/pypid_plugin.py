"""Makes ``twistd pypid`` and ``twist pypid`` known to Twisted."""

from twisted.application.service import ServiceMaker

pypid = ServiceMaker("pypid", "pypid.tap", "A Python package index that a team runs itself.", "pypid")

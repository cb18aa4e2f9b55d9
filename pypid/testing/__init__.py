"""For tests of pypid and of its plugins: contract suites and verified fakes.

A provider of one of the interfaces in :mod:`pypid.interfaces` passes the contract suite of
that interface, whoever wrote it; mix the suite into a ``SynchronousTestCase`` and say
how to make the provider.
"""

"""Contract suites and verified fakes, for tests of pypid and of its plugins.

Every provider of an interface in :mod:`pypid.interfaces` passes the contract suite of that
interface. To use a suite, mix it into a ``SynchronousTestCase`` and implement the method
that makes the provider.
"""

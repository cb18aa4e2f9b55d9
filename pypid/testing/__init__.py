"""Contract suites and verified fakes, for tests of pypid and of its plugins.

<<<<<<< HEAD
Every provider of an interface in :mod:`pypid.interfaces` passes the contract suite of that
interface. To use a suite, mix it into a :class:`SynchronousTestCase` and implement the method
that makes the provider.
=======
A provider of one of the interfaces in :mod:`pypid.interfaces` passes the contract suite of
that interface, whoever wrote it; mix the suite into a ``SynchronousTestCase`` and say
how to make the provider.
>>>>>>> main
"""

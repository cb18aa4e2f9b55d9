'''Where plugins register: storages, authenticators, access policies and upstreams.

This is a plugin package as ``twisted.plugin`` knows it. Its modules may come from any
distribution and any directory on ``sys.path``; each holds instances of factories, which
provide one of the ``I…Factory`` interfaces of :mod:`pypid.interfaces`. The built-in ones are in
:mod:`pypid.plugins.builtin` and have no door of their own.

A distribution adds a storage like this. It has the code, say, in its package ``acme_storage``, and
one more file, ``pypid/plugins/acme.py``, with **no** ``__init__.py`` in ``pypid/`` and
``pypid/plugins/``; those belong to pypid, and another one would hide it::

    """Registers Acme's storage with pypid."""

    from attrs import frozen
    from zope.interface import implementer

    from pypid.errors import ConfigurationError
    from pypid.interfaces import IContext, IStorage, IStorageFactory

    @implementer(IStorageFactory)
    @frozen
    class AcmeFactory:
        prefix: str = "acme"
        summary: str = "files in a bucket at Acme"
        argument_format: str = "BUCKET"

        def from_description(self, argument: str, context: IContext) -> IStorage:
            from acme_storage import AcmeStorage  # late, so that those who do not use it do not wait

            if not argument:
                raise ConfigurationError("acme needs a bucket: acme:BUCKET")
            return AcmeStorage(argument, context.workers("acme", 4))

    acme = AcmeFactory()

With hatchling, ``packages = ["acme_storage", "pypid"]`` under ``[tool.hatch.build.targets.wheel]``
puts both into the wheel. Once it is installed, ``twistd pypid --help-storage`` lists
``acme:BUCKET``, and ``twistd pypid --storage acme:wheels`` uses it. A module that fails to
import, or an object in it that does not keep to its interface, stops the start with its name
and the reason. That ``AcmeStorage`` keeps the interface's promises is what the contract
suites in :mod:`pypid.testing` tell.
'''

from twisted.plugin import pluginPackagePaths

__all__: list[str] = []

__path__.extend(pluginPackagePaths(__name__))

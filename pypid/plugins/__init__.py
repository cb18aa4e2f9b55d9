'''Where plugins register: storages, authenticators, access policies and upstreams.

This is a plugin package in the sense of ``twisted.plugin``. Its modules may come from any
distribution and any directory on ``sys.path``. Each contains instances of factories, which
provide one of the ``I…Factory`` interfaces of :mod:`pypid.interfaces`. The built-in ones are in
:mod:`pypid.plugins.builtin`, and are registered in the same way.

A distribution adds a storage like this. Its code is in its own package, say ``acme_storage``. It has
one more file, ``pypid/plugins/acme.py``, but **no** ``__init__.py`` in ``pypid/`` and
``pypid/plugins/``: those belong to pypid, and a second one would hide the first::

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
            from acme_storage import AcmeStorage  # imported only if it is used

            if not argument:
                raise ConfigurationError("acme needs a bucket: acme:BUCKET")
            return AcmeStorage(argument, context.workers("acme", 4))

    acme = AcmeFactory()

With hatchling, ``packages = ["acme_storage", "pypid"]`` under ``[tool.hatch.build.targets.wheel]``
puts both into the wheel. Once it is installed, ``twistd pypid --help-storage`` lists
``acme:BUCKET``, and ``twistd pypid --storage acme:wheels`` uses it. A module that fails to
import, or a plugin that does not provide its interface, stops the daemon at start with its name
and the reason. Whether ``AcmeStorage`` keeps the promises of the interface is tested by the
contract suites in :mod:`pypid.testing`.
'''

from twisted.plugin import pluginPackagePaths

__all__: list[str] = []

__path__.extend(pluginPackagePaths(__name__))

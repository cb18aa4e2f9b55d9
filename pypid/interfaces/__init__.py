"""The roles that the parts of pypid play for one another, and that plugins may play instead.

Public, for authors of plugins, are the modules :mod:`pypid.errors`, :mod:`pypid.model`,
:mod:`pypid.names`, :mod:`pypid.interfaces`, :mod:`pypid.plugins` and :mod:`pypid.testing`: the names
in their ``__all__``, and the modules of :mod:`pypid.testing`. A public name stays, with its meaning,
for all releases of one major version. Before it is removed or renamed it is deprecated in at least one
minor version, and the change stands in ``NEWS.md`` as incompatible. An interface may get new
attributes only if providers can do without them. Every other module may change in any release.

Two promises hold for every interface. An ``async`` method is called in the reactor's thread and must not
block it: work of more than a few milliseconds goes to :class:`IWorkers`. A method that is not ``async``
says in its docstring which thread calls it and whether it may block. The errors that a method raises are
those of :mod:`pypid.errors`; any other exception counts as a defect of the provider, and the one
request that met it is answered with a bare "500".

A plugin is an object that provides one of the ``I…Factory`` interfaces, in a module of the package
:mod:`pypid.plugins`; its docstring shows an example.
"""

from pypid.interfaces.access import IAccessPolicy, IAuthenticator
from pypid.interfaces.catalog import ICatalog
from pypid.interfaces.condition import IDiskSpace, IMeasured, ITroubled
from pypid.interfaces.content import IContent, ILocalFile, IOpenFile, ISendableContent, ISendableFile
from pypid.interfaces.plugins import (
    IAccessPolicyFactory,
    IAuthenticatorFactory,
    IContext,
    IFactory,
    IStorageFactory,
    IUpstreamFactory,
)
from pypid.interfaces.storage import (
    Admit,
    ILockedProject,
    IStaging,
    IStorage,
)
from pypid.interfaces.upstream import IUpstream
from pypid.interfaces.workers import IWorkers

__all__ = [
    "Admit",
    "IAccessPolicy",
    "IAccessPolicyFactory",
    "IAuthenticator",
    "IAuthenticatorFactory",
    "ICatalog",
    "IContent",
    "IContext",
    "IDiskSpace",
    "IFactory",
    "ILocalFile",
    "ILockedProject",
    "IMeasured",
    "IOpenFile",
    "ISendableContent",
    "ISendableFile",
    "IStaging",
    "IStorage",
    "IStorageFactory",
    "ITroubled",
    "IUpstream",
    "IUpstreamFactory",
    "IWorkers",
]

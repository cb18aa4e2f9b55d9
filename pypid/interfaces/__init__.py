"""The roles that parts of pypid play for each other, and that plugins may play instead.

Two promises hold for all of them. Methods that are ``async`` are called in the reactor's
thread and do not block it: what takes more than a few milliseconds goes to
:class:`IWorkers`. Those of a storage, which are not, say in which thread they are called, and may
block. And errors are those of :mod:`pypid.errors`; anything else that escapes
is taken for a defect of the provider and becomes a bare "500" for that one request.

A plugin is an object that provides one of the ``I…Factory`` interfaces here, in a module
of the package :mod:`pypid.plugins`; see there.
"""

from pypid.interfaces.access import IAccessPolicy, IAuthenticator
from pypid.interfaces.catalog import ICatalog
from pypid.interfaces.content import IContent, IOpenFile
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
    "IFactory",
    "ILockedProject",
    "IOpenFile",
    "IStaging",
    "IStorage",
    "IStorageFactory",
    "IUpstream",
    "IUpstreamFactory",
    "IWorkers",
]

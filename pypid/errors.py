"""The errors that pypid raises on purpose.

The text of each exception is one clear line without a trailing full stop, which a person can act upon. It
may be shown to the client, so it never contains a secret or raw input from the request.
"""

__all__ = [
    "CannotStart",
    "ConfigurationError",
    "Elsewhere",
    "FileExists",
    "Forbidden",
    "InvalidArchive",
    "InvalidFilename",
    "InvalidForm",
    "InvalidLockFile",
    "InvalidMetadata",
    "InvalidRules",
    "InvalidTokens",
    "InvalidUpload",
    "NameWithheld",
    "NotAsPublished",
    "NotFound",
    "OutOfSpace",
    "PluginError",
    "PypidError",
    "StorageRefused",
    "StorageUnavailable",
    "TooLarge",
    "TooManyFailures",
    "Unauthenticated",
    "UnsupportedMediaType",
    "UpstreamFailed",
    "UpstreamTimedOut",
    "Withheld",
]


class PypidError(Exception):
    """The base of all errors that pypid raises on purpose."""


class ConfigurationError(PypidError):
    """An option, a description such as ``prefix:argument``, or a file it names is wrong."""


class PluginError(ConfigurationError):
    """A plugin could not be imported, or does not provide what it says it does."""


class CannotStart(PypidError, SystemExit):
    """The daemon cannot start, because it cannot access its root, a port is taken, or the like.

    It is a ``SystemExit`` too: ``twistd`` and ``twist`` let the exceptions of a starting service
    through, and so end with this one line and status 1 instead of a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message


class InvalidFilename(PypidError):
    """A file name is not valid for a distribution archive, or is dangerous."""


class InvalidArchive(PypidError):
    """A distribution archive cannot be opened as its type, or exceeds a limit."""


class InvalidMetadata(PypidError):
    """Core metadata cannot be parsed."""


class InvalidForm(PypidError):
    """An upload form is malformed or incomplete."""


class InvalidUpload(PypidError):
    """The form, the file name or the archive of an upload is not valid, or they disagree."""


class TooLarge(PypidError):
    """A request body, or a part of it, is longer than its limit."""


class UnsupportedMediaType(PypidError):
    """A request body has a type that its URL does not accept."""


class InvalidLockFile(PypidError):
    """A lock file, or a list of requirements, does not name the needed releases."""


class InvalidTokens(PypidError):
    """A file of tokens cannot be parsed."""


class InvalidRules(PypidError):
    """A file of access rules is malformed; the text names the place."""


class Unauthenticated(PypidError):
    """Credentials are missing or wrong."""


class TooManyFailures(PypidError):
    """Credentials of this user, from this address, were wrong too often."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """The number of seconds until another attempt is accepted."""


class Forbidden(PypidError):
    """The principal may not do this, or nobody may."""


class NotFound(PypidError):
    """There is no such project or file, neither local nor upstream."""


class Elsewhere(NotFound):
    """A file is not local; its project's page is at another index, and the file would be beside it."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url
        """The absolute URL that the file would have."""


class FileExists(PypidError):
    """A file of that name is already published, and published files never change."""


class NotAsPublished(PypidError):
    """A published file was changed on disk, by a person or by a fault; its bytes differ from the record."""


class OutOfSpace(PypidError):
    """The storage has no bytes or inodes left; reading still works."""


class StorageUnavailable(PypidError):
    """The storage failed in another way; the same request may work later."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting
        """Whether the storage fails until an administrator repairs it."""


class StorageRefused(StorageUnavailable):
    """The storage may not be changed; the same request fails until an administrator repairs that."""

    def __init__(self, message: str) -> None:
        super().__init__(message, lasting=True)


class UpstreamFailed(PypidError):
    """An upstream could not be asked, or its answer is invalid; this is not a "not found"."""


class UpstreamTimedOut(UpstreamFailed):
    """An upstream did not answer in time."""


class Withheld(PypidError):
    """A rule, which the text names, says that an upstream's project or file is not offered."""


class NameWithheld(Withheld):
    """A rule about names says that this upstream is not asked; another one may be."""

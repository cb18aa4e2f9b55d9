"""What can go wrong, in words that a person can act upon.

The text of each exception is one clear line without a trailing full stop. It may be
shown to whoever made the request, so it never holds a secret or raw input of theirs.
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
    "InvalidMetadata",
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
    """The daemon cannot start: no access to its root, a port that is taken...

    It is a ``SystemExit`` too, so that ``twistd`` and ``twist``, which let exceptions
    of a starting service through, end with this one line and status 1, not with a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message


class InvalidFilename(PypidError):
    """A file name that is none for a distribution archive, or a dangerous one."""


class InvalidArchive(PypidError):
    """A distribution archive that does not open as its type, or is not bounded as it should."""


class InvalidMetadata(PypidError):
    """Core metadata that cannot be parsed."""


class InvalidForm(PypidError):
    """An upload form that is malformed or incomplete."""


class InvalidUpload(PypidError):
    """An upload whose form, file name and archive do not hold or do not agree."""


class TooLarge(PypidError):
    """A request body, or a part of it, above its limit."""


class UnsupportedMediaType(PypidError):
    """A request body of a kind that is not taken where it was sent."""


class InvalidLockFile(PypidError):
    """A file that should tell which releases are needed, and does not."""


class InvalidTokens(PypidError):
    """A file of tokens that cannot be read."""


class InvalidRules(PypidError):
    """A file of access rules that does not say what it should, and where."""


class Unauthenticated(PypidError):
    """Credentials are missing, or are not those of anybody known."""


class TooManyFailures(PypidError):
    """Credentials of this user were wrong too often, from where these come from."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """After how many seconds another try is taken."""


class Forbidden(PypidError):
    """The principal is known, or none would help, and may not do this."""


class NotFound(PypidError):
    """There is no such project or file, here or upstream."""


class Elsewhere(NotFound):
    """A file is not here, and its project's page, which is elsewhere, would have it beside itself."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url
        """Where the file would be."""


class FileExists(PypidError):
    """A file of that name is published already, and published files never change."""


class NotAsPublished(PypidError):
    """A file that was published here has other bytes now: somebody, or the disk, changed it."""


class OutOfSpace(PypidError):
    """The storage is full, in bytes or in inodes; reading goes on."""


class StorageUnavailable(PypidError):
    """The storage failed in another way; the same request may work later."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting
        """Whether it will fail until an administrator does something about it."""


class StorageRefused(StorageUnavailable):
    """The storage may not be changed, and the same request fails until an administrator mends that."""

    def __init__(self, message: str) -> None:
        super().__init__(message, lasting=True)


class UpstreamFailed(PypidError):
    """An upstream could not be asked, or answered nonsense; it did not say "no"."""


class UpstreamTimedOut(UpstreamFailed):
    """An upstream did not answer in time."""


class Withheld(PypidError):
    """A rule, which the text names, says that what an upstream may have is not offered."""


class NameWithheld(Withheld):
    """A rule about names says that an upstream is not the one to be asked; another one may be."""

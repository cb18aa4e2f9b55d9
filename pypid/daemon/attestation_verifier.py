"""Who signed attestations: verified with what the extra ``attestations`` installs.

Nothing goes over the network for that: an attestation brings along its certificate, and the
proof that a public log has it. All else is in a *trusted root*, which comes with Sigstore's
library; a newer one, or that of a Sigstore of one's own, can be put into the root directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from attrs import define, field, frozen
from twisted.logger import Logger

from pypid.errors import CannotStart, ConfigurationError, InvalidUpload
from pypid.formats.attestations import Attestation

__all__ = ["Signer", "Verifier", "signers"]

TRUSTED_ROOT = "trusted_root.json"
"""The name of the file with the trusted root, here and in Sigstore's library."""
INSTANCE = "https://tuf-repo-cdn.sigstore.dev"
"""The name of the Sigstore whose trusted root is used where there is no such file."""
PAYLOAD_TYPE = "application/vnd.in-toto+json"

# Claims in a certificate (https://github.com/sigstore/fulcio, docs/oid-info.md).
_SOURCE_REPOSITORY = "1.3.6.1.4.1.57264.1.12"
_URL = re.compile(r"https://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9._~/*-]+")
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_ISSUERS = {"https://github.com": "https://token.actions.githubusercontent.com"}


@frozen
class Signer:
    """Somebody whose attestations are taken."""

    name: str
    """The URL of a source repository, with ``*`` for any characters, or an e-mail address."""
    issuer: str
    """Who vouches for it, as an OpenID Connect provider."""


@define(eq=False)
class Verifier:
    """Refuses attestations that nobody signed who is trusted."""

    _signers: Sequence[Signer]
    _root: Path
    _sigstore: Any = field(default=None, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        if find_spec("pypi_attestations") is None:
            raise ConfigurationError(
                "--attestations: to verify them takes more: pip install 'pypid-server[attestations]'"
            )

    def open(self) -> None:
        """Load the trusted root; it blocks for a second.

        :raises CannotStart: there is none, or no right one.
        """
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier as SigstoreVerifier

        with _trusted_root(self._root) as path:
            try:
                root = TrustedRoot.from_file(str(path))
                self._sigstore = SigstoreVerifier(trusted_root=root)
            except OSError as error:
                raise CannotStart(f"cannot read {path}: {error.strerror}") from error
            except Exception as error:  # the library has many ways to say so, on many lines
                raise CannotStart(f"{path} is no trusted root in Sigstore's format") from error
        self._log.info(
            "attestations are taken of {signers}", signers=", ".join(one.name for one in self._signers)
        )

    def close(self) -> None:
        """Have nothing to let go of."""

    def verify(self, attestations: Sequence[Attestation]) -> None:
        """Look at the signatures of attestations; it blocks for some milliseconds.

        :raises InvalidUpload: saying which one does not verify.
        """
        for number, attestation in enumerate(attestations, 1):
            try:
                is_verified = self._is_verified(attestation)
            except Exception as error:  # whatever it stumbled over, it has not verified
                self._log.info("An attestation does not verify: {error!r}", error=error)
                is_verified = False
            if not is_verified:
                raise InvalidUpload(
                    f"attestations: number {number} does not verify as of anybody who is trusted here"
                )

    def _is_verified(self, attestation: Attestation) -> bool:
        from pypi_attestations import Attestation as SignedAttestation
        from sigstore.verify import policy

        signed = SignedAttestation.model_validate(attestation.document)
        # Not to be believed yet; but if it is one of ours, it has to be just that.
        source = signed.certificate_claims.get(_SOURCE_REPOSITORY, "")
        policies: list[Any] = []
        for signer in self._signers:
            if "@" in signer.name:
                policies.append(policy.Identity(identity=signer.name, issuer=signer.issuer))
            elif fnmatchcase(source, signer.name):
                told: list[Any] = [policy.OIDCIssuerV2(signer.issuer), policy.OIDCSourceRepositoryURI(source)]
                policies.append(policy.AllOf(told))
        if not policies:
            return False
        verified = self._sigstore.verify_dsse(signed.to_bundle(), policy.AnyOf(policies))
        return bool(verified == (PAYLOAD_TYPE, attestation.statement))


@contextmanager
def _trusted_root(root: Path) -> Iterator[Path]:
    """Give the file with the trusted root: the one in the root directory, or else the library's own."""
    path = root / TRUSTED_ROOT
    if path.exists():
        yield path
        return
    # The public way to it looks into a cache first, which may be older than the library.
    with as_file(files("sigstore._store") / quote(INSTANCE, safe="") / TRUSTED_ROOT) as shipped:
        yield shipped


def signers(text: str) -> Sequence[Signer]:
    """Read what is to be done with attestations: ``store``, or ``verify:`` and who is trusted.

    :returns: whose attestations are taken; none if they are stored as they come.
    :raises ConfigurationError: it is neither.
    """
    if text == "store":
        return []
    word, _, names = text.partition(":")
    if word != "verify" or not names:
        raise ConfigurationError(
            f"{text!r} is neither store nor verify:WHO, as in verify:https://github.com/acme/*"
        )
    return [_signer(name.strip()) for name in names.split(",")]


def _signer(name: str) -> Signer:
    if _EMAIL.fullmatch(name):
        return Signer(name, "https://accounts.google.com")
    if not _URL.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no source repository like https://github.com/acme/*, and no e-mail address"
        )
    parts = urlsplit(name)
    origin = f"{parts.scheme}://{parts.netloc}"
    return Signer(name, _ISSUERS.get(origin, origin))

"""The verification of attestations' signatures, with the libraries of the extra ``attestations``.

It needs no network: an attestation contains its certificate, and the proof that a public log has
it. The rest is in a *trusted root*, which comes with Sigstore's library. A newer trusted root, or
that of a private Sigstore, can be put into the root directory.
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

__all__ = ["TRUSTED_ROOT", "Signer", "Verifier", "signers"]

TRUSTED_ROOT = "trusted_root.json"
"""The name of the file with the trusted root, here and in Sigstore's library."""
INSTANCE = "https://tuf-repo-cdn.sigstore.dev"
"""The Sigstore instance whose trusted root is used if the root directory has none."""
PAYLOAD_TYPE = "application/vnd.in-toto+json"

# Claims in a certificate (https://github.com/sigstore/fulcio, docs/oid-info.md).
_SOURCE_REPOSITORY = "1.3.6.1.4.1.57264.1.12"
_URL = re.compile(r"https://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9._~/*-]+")
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_ISSUERS = {"https://github.com": "https://token.actions.githubusercontent.com"}


@frozen
class Signer:
    """A signer whose attestations are accepted."""

    name: str
    """The URL of a source repository, with ``*`` for any characters, or an e-mail address."""
    issuer: str
    """The URL of the OpenID Connect provider that vouches for that identity."""


@define(eq=False)
class Verifier:
    """Refuses attestations without a signature of a trusted signer."""

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
        """Load the trusted root. Blocks for about a second.

        :raises CannotStart: the trusted root cannot be read, or is malformed.
        """
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier as SigstoreVerifier

        with _trusted_root(self._root) as path:
            try:
                root = TrustedRoot.from_file(str(path))
                self._sigstore = SigstoreVerifier(trusted_root=root)
            except OSError as error:
                raise CannotStart(f"cannot read {path}: {error.strerror}") from error
            except Exception as error:  # the library raises many types, with messages of many lines
                raise CannotStart(f"{path} is no trusted root in Sigstore's format") from error
        self._log.info(
            "attestations are taken of {signers}", signers=", ".join(one.name for one in self._signers)
        )

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def verify(self, attestations: Sequence[Attestation]) -> None:
        """Verify the signatures of attestations. Blocks for some milliseconds.

        :raises InvalidUpload: an attestation does not verify; the message has its number.
        """
        for number, attestation in enumerate(attestations, 1):
            try:
                is_verified = self._is_verified(attestation)
            except Exception as error:  # whatever went wrong, the attestation has not been verified
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
        # This claim is not verified yet. It only selects the policy, which then demands exactly this value.
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
    """Yield the file of the trusted root: the one in the root directory, or else the library's own."""
    path = root / TRUSTED_ROOT
    if path.exists():
        yield path
        return
    # The library's public function prefers a cache, which may be older than the library.
    with as_file(files("sigstore._store") / quote(INSTANCE, safe="") / TRUSTED_ROOT) as shipped:
        yield shipped


def signers(text: str) -> Sequence[Signer]:
    """Parse the option for attestations: ``store``, or ``verify:`` and the trusted signers.

    :returns: the signers whose attestations are accepted; empty to store all without verification.
    :raises ConfigurationError: the text is neither.
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

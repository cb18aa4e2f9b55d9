"""Tests for :mod:`pypid.daemon.attestation_verifier`, with a Sigstore of their own.

Nothing is asked of any other.
"""

from __future__ import annotations

import json
import socket
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from pypid.daemon import attestation_verifier
from pypid.daemon.attestation_verifier import TRUSTED_ROOT, Signer, Verifier, signers
from pypid.errors import CannotStart, ConfigurationError, InvalidUpload
from pypid.formats.attestations import parse
from pypid.names import parse_filename
from pypid.testing.builds import attestation, wheel

pytest.importorskip("pypi_attestations", reason="needs the extra: pip install 'pypid-server[attestations]'")

from harness.sigstore import GITHUB, GOOGLE, Sigstore

WHEEL, CONTENT = wheel("acme-anvil", "1.0")
ANVIL, EMAIL = "https://github.com/acme/anvil", "ci@acme.iam.gserviceaccount.com"
TRUSTED = signers(f"verify:https://github.com/acme/*,https://gitlab.example.org/team/repo,{EMAIL}")

Document = dict[str, Any]


def statement(filename: str = WHEEL, content: bytes = CONTENT) -> bytes:
    return b64decode(attestation(filename, content)["envelope"]["statement"])


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        pytest.fail("it goes over the network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


@pytest.fixture(scope="module")
def sigstore() -> Sigstore:
    return Sigstore()


@pytest.fixture
def verifier(sigstore: Sigstore, tmp_path: Path) -> Verifier:
    """Return a verifier that trusts the tests' own Sigstore."""
    sigstore.write_trusted_root(tmp_path / TRUSTED_ROOT)
    verifier = Verifier(TRUSTED, tmp_path)
    verifier.open()
    return verifier


def verify(verifier: Verifier, *documents: Document) -> None:
    digest = sha256(CONTENT).hexdigest()
    verifier.verify(parse(json.dumps(documents), parse_filename(WHEEL), digest))


def refusal(verifier: Verifier, *documents: Document) -> str:
    with pytest.raises(InvalidUpload) as caught:
        verify(verifier, *documents)
    return str(caught.value)


@pytest.mark.parametrize(
    "signed",
    [
        {"source": ANVIL},
        {"source": "https://github.com/acme/hammer"},
        {"source": "https://gitlab.example.org/team/repo", "issuer": "https://gitlab.example.org"},
        {"email": EMAIL, "issuer": GOOGLE},
    ],
    ids=["repository", "another one", "GitLab of one's own", "e-mail"],
)
def test_c136_trusted_signers(verifier: Verifier, sigstore: Sigstore, signed: dict[str, str]) -> None:
    """What is signed by one of those who are trusted is taken."""
    verify(verifier, sigstore.sign(statement(), **signed))


@pytest.mark.parametrize(
    "signed",
    [
        {"source": "https://github.com/acme-evil/anvil"},
        {"source": "https://github.com/evil/acme/anvil"},
        {"source": "https://github.com/ACME/anvil"},
        {"source": ANVIL, "issuer": "https://gitlab.example.org"},
        {"source": "https://gitlab.example.org/team/repo"},
        {"source": "https://gitlab.example.org/team/repo2", "issuer": "https://gitlab.example.org"},
        {"source": ""},
        {"email": EMAIL, "issuer": GITHUB},
        {"email": "ci@evil.iam.gserviceaccount.com", "issuer": GOOGLE},
        {"email": "evil@example.org", "issuer": GITHUB},
    ],
)
def test_strangers(verifier: Verifier, sigstore: Sigstore, signed: dict[str, str]) -> None:
    """What anybody else signed is refused, however right the signature is."""
    said = refusal(verifier, sigstore.sign(statement(), **signed))
    assert said == "attestations: number 1 does not verify as of anybody who is trusted here"


def test_another_sigstore(verifier: Verifier) -> None:
    """Certificates of an authority that is not trusted are worth nothing."""
    assert "number 1 does not verify" in refusal(verifier, Sigstore().sign(statement(), source=ANVIL))


def test_made_up(verifier: Verifier, sigstore: Sigstore) -> None:
    """What nobody signed is refused, and told from one that was."""
    good = sigstore.sign(statement(), source=ANVIL)
    other = attestation(WHEEL, CONTENT, "https://slsa.dev/provenance/v1")
    assert "number 2 does not verify" in refusal(verifier, good, other)


def _other_bytes(text: str) -> str:
    data = bytearray(b64decode(text))
    data[-1] ^= 1
    return b64encode(data).decode()


def _of(part: str, name: str) -> Callable[[Document, Document], None]:
    def change(document: Document, other: Document) -> None:
        document[part][name] = other[part][name]

    return change


def _flipped(part: str, name: str) -> Callable[[Document, Document], None]:
    def change(document: Document, _: Document) -> None:
        document[part][name] = _other_bytes(document[part][name])

    return change


def _entry(**changed: object) -> Callable[[Document, Document], None]:
    def change(document: Document, _: Document) -> None:
        document["verification_material"]["transparency_entries"][0].update(changed)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _of("envelope", "signature"),
        _of("envelope", "statement"),
        _of("verification_material", "certificate"),
        _of("verification_material", "transparency_entries"),
        _flipped("envelope", "signature"),
        _flipped("verification_material", "certificate"),
        _entry(integratedTime="1"),
        _entry(inclusionPromise=None),
        _entry(inclusionProof=None),
        _entry(logIndex="7"),
        _entry(canonicalizedBody="e30="),
        _entry(kindVersion={"kind": "hashedrekord", "version": "0.0.1"}),
    ],
)
def test_tampered(
    verifier: Verifier, sigstore: Sigstore, change: Callable[[Document, Document], None]
) -> None:
    """Nothing in an attestation can be replaced."""
    document = sigstore.sign(statement(), source=ANVIL)
    verify(verifier, document)
    # The very same statement with a blank more: about the same file, yet signed on its own.
    change(document, sigstore.sign(statement() + b" ", source=ANVIL))
    assert "does not verify" in refusal(verifier, document)


def test_what_was_signed_is_what_was_checked(verifier: Verifier, sigstore: Sigstore) -> None:
    """The statement that is verified is the one whose subject was compared with the file."""
    document = sigstore.sign(statement(), source=ANVIL)
    [parsed] = parse(json.dumps([document]), parse_filename(WHEEL), sha256(CONTENT).hexdigest())
    verifier.verify([parsed])
    with pytest.raises(InvalidUpload):
        verifier.verify([evolve(parsed, statement=statement() + b" ")])


def test_signed_long_ago(tmp_path: Path) -> None:
    """A certificate of some minutes serves for what was signed in them, however long ago."""
    sigstore = Sigstore(now=datetime(2026, 1, 1, tzinfo=UTC))
    sigstore.write_trusted_root(tmp_path / TRUSTED_ROOT)
    verifier = Verifier(TRUSTED, tmp_path)
    verifier.open()
    verify(verifier, sigstore.sign(statement(), source=ANVIL))
    late = sigstore.sign(statement(), source=ANVIL)
    sigstore.now += timedelta(hours=1)
    entry = sigstore.sign(statement(), source=ANVIL)["verification_material"]["transparency_entries"]
    late["verification_material"]["transparency_entries"] = entry
    assert "does not verify" in refusal(verifier, late)


def test_sigstore_of_everybody(sigstore: Sigstore, tmp_path: Path) -> None:
    """Without a trusted root in the root directory it is the one that comes with the library."""
    verifier = Verifier(TRUSTED, tmp_path)
    verifier.open()
    assert "does not verify" in refusal(verifier, sigstore.sign(statement(), source=ANVIL))
    verifier.close()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"mediaType": "x"}', "\xff"])
def test_no_trusted_root(tmp_path: Path, text: str) -> None:
    """A file that is no trusted root is an error at start."""
    (tmp_path / TRUSTED_ROOT).write_text(text)
    with pytest.raises(CannotStart, match=str(tmp_path / TRUSTED_ROOT)) as caught:
        Verifier(TRUSTED, tmp_path).open()
    assert "\n" not in str(caught.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is said at start how to get it, before anything is opened."""
    monkeypatch.setattr(attestation_verifier, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'pypid-server\[attestations\]'"):
        Verifier(TRUSTED, tmp_path)


def test_whom_to_trust() -> None:
    """Who issues the certificates of a source repository follows from where it is."""
    assert signers("store") == []
    assert [
        Signer("https://github.com/acme/*", GITHUB),
        Signer("https://gitlab.example.org/team/repo", "https://gitlab.example.org"),
        Signer(EMAIL, GOOGLE),
    ] == TRUSTED
    assert signers("verify: https://gitlab.com/a/b , https://gitlab.example.org:8443/*") == [
        Signer("https://gitlab.com/a/b", "https://gitlab.com"),
        Signer("https://gitlab.example.org:8443/*", "https://gitlab.example.org:8443"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "verify",
        "verify:",
        "verify:*",
        "verify:,",
        "verify:https://github.com/acme/*,",
        "verify:http://github.com/acme/*",
        "verify:https://*",
        "verify:https://*.example.org/acme",
        "verify:https://github.com",
        "verify:https://github.com/acme/[a-z]",
        "verify:https://github.com/acme/anvi?",
        "verify:*@example.org",
        "verify:alice",
        "store:x",
        "ignore",
    ],
)
def test_whom_not_to_trust(text: str) -> None:
    """Nobody is trusted by mistake: a host is named whole, and a mistake is an error."""
    with pytest.raises(ConfigurationError):
        signers(text)

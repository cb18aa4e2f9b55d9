"""A Sigstore instance with a trusted root of its own, which signs valid attestations."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PAYLOAD_TYPE = b"application/vnd.in-toto+json"
GITHUB = "https://token.actions.githubusercontent.com"
GOOGLE = "https://accounts.google.com"

_ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SOURCE = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.12")
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")

_Key = ec.EllipticCurvePrivateKey


def _key() -> _Key:
    return ec.generate_private_key(ec.SECP256R1())


def _b64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _public(key: _Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _id(key: _Key) -> bytes:
    return sha256(_public(key)).digest()


def _sign(key: _Key, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _der(tag: int, data: bytes) -> bytes:
    length = bytes([len(data)]) if len(data) < 128 else b"\x81" + bytes([len(data)])
    return bytes([tag]) + length + data


@define
class Sigstore:
    """A certificate authority, and the two logs that verification requires."""

    now: datetime = field(factory=lambda: datetime.now(UTC).replace(microsecond=0))
    """When it signs."""
    _authority: _Key = field(factory=_key)
    _certificates: _Key = field(factory=_key)
    _entries: _Key = field(factory=_key)
    _root: x509.Certificate = field(init=False)

    def __attrs_post_init__(self) -> None:
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(key_cert_sign=True), True),
            (x509.SubjectKeyIdentifier.from_public_key(self._authority.public_key()), False),
        ]
        self._root = self._certificate(self._authority, "authority", extensions, timedelta(days=365))

    def write_trusted_root(self, path: Path) -> None:
        """Write the trusted root with which these signatures verify."""
        window = {"start": "2020-01-01T00:00:00Z"}
        subject = {"organization": "example", "commonName": "authority"}
        chain = {"certificates": [{"rawBytes": _b64(self._root.public_bytes(Encoding.DER))}]}
        authority = {"subject": subject, "certChain": chain, "validFor": window}
        logs = [
            {
                "baseUrl": "https://log.example.org",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": _b64(_public(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": window,
                },
                "logId": {"keyId": _b64(_id(key))},
            }
            for key in (self._entries, self._certificates)
        ]
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": logs[:1],
            "certificateAuthorities": [authority],
            "ctlogs": logs[1:],
            "timestampAuthorities": [],
        }
        path.write_text(json.dumps(document))

    def sign(
        self, statement: bytes, *, issuer: str = GITHUB, source: str = "", email: str = ""
    ) -> dict[str, Any]:
        """Return an attestation of a statement, signed as the owner of a source repository or an address."""
        key = _key()
        certificate = self._signing_certificate(key, issuer, source, email)
        signed = b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE, len(statement), statement)
        signature = _sign(key, signed)
        return {
            "version": 1,
            "verification_material": {
                "certificate": _b64(certificate.public_bytes(Encoding.DER)),
                "transparency_entries": [self._entry(statement, signature, certificate)],
            },
            "envelope": {"statement": _b64(statement), "signature": _b64(signature)},
        }

    def _signing_certificate(self, key: _Key, issuer: str, source: str, email: str) -> x509.Certificate:
        name: x509.GeneralName = x509.UniformResourceIdentifier(f"{source}/.github/workflows/release.yml@x")
        claims = {_ISSUER_V1: issuer.encode(), _ISSUER: _der(0x0C, issuer.encode())}
        if email:
            name = x509.RFC822Name(email)
        else:
            claims[_SOURCE] = _der(0x0C, source.encode())
        public = self._authority.public_key()
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.SubjectAlternativeName([name]), True),
            (_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
            *((x509.UnrecognizedExtension(oid, value), False) for oid, value in claims.items()),
        ]
        serial = x509.random_serial_number()

        def certificate(timestamp: bytes) -> x509.Certificate:
            told = x509.UnrecognizedExtension(_TIMESTAMPS, timestamp)
            return self._certificate(key, "", [*extensions, (told, False)], timedelta(minutes=10), serial)

        # The log signs the certificate without this signature.
        unlogged = certificate(self._timestamp(b""))
        return certificate(self._timestamp(unlogged.tbs_precertificate_bytes))

    def _certificate(
        self,
        key: _Key,
        name: str,
        extensions: list[tuple[x509.ExtensionType, bool]],
        lifetime: timedelta,
        serial: int = 1,
    ) -> x509.Certificate:
        def named(name: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])

        builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named("authority"))
        builder = builder.public_key(key.public_key()).serial_number(serial)
        builder = builder.not_valid_before(self.now - timedelta(minutes=1)).not_valid_after(
            self.now + lifetime
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._authority, hashes.SHA256())

    def _timestamp(self, certificate: bytes) -> bytes:
        """Log a certificate (RFC 6962, sections 3.2 and 3.3)."""
        milliseconds = int(self.now.timestamp() * 1000)
        length = struct.pack("!I", len(certificate))[1:]
        head = struct.pack("!BBQH", 0, 0, milliseconds, 1)
        signature = _sign(
            self._certificates, head + _id(self._authority) + length + certificate + struct.pack("!H", 0)
        )
        logged = struct.pack("!B32sQH", 0, _id(self._certificates), milliseconds, 0)
        logged += struct.pack("!BBH", 4, 3, len(signature)) + signature
        listed = struct.pack("!H", len(logged)) + logged
        return _der(0x04, struct.pack("!H", len(listed)) + listed)

    def _entry(self, statement: bytes, signature: bytes, certificate: x509.Certificate) -> dict[str, Any]:
        """Log a signature as the first and only entry of the log."""
        digest = {"algorithm": "sha256", "value": sha256(statement).hexdigest()}
        signed = {"signature": _b64(signature), "verifier": _b64(certificate.public_bytes(Encoding.PEM))}
        spec = {"envelopeHash": digest, "payloadHash": digest, "signatures": [signed]}
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}).encode()
        root = sha256(b"\0" + body).digest()
        time, log = int(self.now.timestamp()), _id(self._entries)
        promised = {"body": _b64(body), "integratedTime": time, "logID": log.hex(), "logIndex": 0}
        canonical = json.dumps(promised, sort_keys=True, separators=(",", ":")).encode()
        note = f"log.example.org\n1\n{_b64(root)}\n"
        checkpoint = _b64(log[:4] + _sign(self._entries, note.encode()))
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(time),
            "inclusionPromise": {"signedEntryTimestamp": _b64(_sign(self._entries, canonical))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n\N{EM DASH} log.example.org {checkpoint}\n"},
            },
            "canonicalizedBody": _b64(body),
        }


def _usage(**uses: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: uses.get(name, False) for name in names})

"""Tests for :mod:`pypid.upload.signatures`."""

from __future__ import annotations

from base64 import b64encode
from time import thread_time

import pytest

from pypid.errors import InvalidUpload
from pypid.testing.builds import SIGNATURE
from pypid.upload.signatures import MAX_SIZE, check_signature

# What `gpg --detach-sign --armor` of version 2.2 wrote, with a throwaway key.
GPG = """\
-----BEGIN PGP SIGNATURE-----

iHUEABYIAB0WIQRN2KR2g3n7nePmZJIh5ebUEq+NoAUCawEkVQAKCRAh5ebUEq+N
oHj2APwOtqjuJ2ggElNG7fC4mHja6plHGSmXX/a6n0vO/rnRHQEAxbEtYMqnwc2J
n2mPG4aIqx+pQtlSbLV88q+PHYLQrQU=
=RWOQ
-----END PGP SIGNATURE-----
"""
BEGIN, END = "-----BEGIN PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----\n"


@pytest.mark.parametrize(
    "text",
    [
        GPG,
        SIGNATURE,
        GPG.replace("\n", "\r\n"),
        GPG.replace("=RWOQ\n", ""),
        GPG.replace("\n\n", "\nVersion: GnuPG v1\nComment: né à Paris\n\n", 1),
        f"\n{GPG}\n\n",
    ],
    ids=["gpg 2", "made up", "CRLF", "no checksum", "headers of gpg 1", "blank lines around"],
)
def test_c137_signatures(text: str) -> None:
    """A signature is kept as it came, to the letter."""
    assert check_signature(text) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "signature",
        GPG.replace("SIGNATURE", "MESSAGE"),
        GPG.replace("SIGNATURE", "PUBLIC KEY BLOCK"),
        GPG + GPG,
        GPG + "more",
        "more" + GPG,
        GPG.removesuffix(END),
        GPG.replace("\n\n", "\n", 1),
        BEGIN + "\n" + END,
        BEGIN + "\n" + "AAAAA\n" + END,
        BEGIN + "\n" + "<script>\n" + END,
        BEGIN + "\n" + b64encode(bytes([0x98, 1, 4])).decode() + "\n" + END,  # a public key
        BEGIN + "\n" + b64encode(bytes([0x08, 1, 4])).decode() + "\n" + END,  # no packet at all
        BEGIN + "\n" + b64encode(bytes([0xC6, 1, 4])).decode() + "\n" + END,  # a public key, new format
        BEGIN + "\n" + "A" * MAX_SIZE + "\n" + END,
    ],
)
def test_what_is_none(text: str) -> None:
    """Everything else is refused by the field's name."""
    with pytest.raises(InvalidUpload, match=r"^gpg_signature: "):
        check_signature(text)


def test_new_packet_format() -> None:
    """RFC 9580 has two ways to write down what a packet is."""
    text = BEGIN + "\n" + b64encode(bytes([0xC2, 1, 4])).decode() + "\n" + END
    assert check_signature(text) == text.encode()


def test_longest() -> None:
    """64 kB are too many."""
    text = SIGNATURE.ljust(MAX_SIZE)
    assert check_signature(text[:-1])
    with pytest.raises(InvalidUpload, match="shorter than"):
        check_signature(text)


@pytest.mark.parametrize("line", ["a: b\n", "AAAA\n", "=AAAA\n", "\n", " ", "A"])
def test_hostile_lengths(line: str) -> None:
    """No text takes long to refuse."""
    started = thread_time()
    for text in (BEGIN + line * (MAX_SIZE // len(line) - 10), BEGIN + "\n" + line * 12_000 + "x"):
        with pytest.raises(InvalidUpload):
            check_signature(text)
    assert thread_time() - started < 2

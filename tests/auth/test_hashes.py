"""The accepted password hashes, and the time of a check."""

from __future__ import annotations

import shutil
import subprocess

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.auth import hashes
from pypid.auth.hashes import decoys, flaw, matches

BCRYPT = b"$2y$05$" + b"a" * 21 + b"u" + b"b" * 31
# The two of "myPassword" are the examples in "Password Formats" of Apache's documentation.
SHA = {
    b"test": b"{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
    b"myPassword": b"{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
}
APR1 = {b"myPassword": b"$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"}
openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl: apt-get install openssl")


@pytest.mark.parametrize(("password", "hashed"), [*SHA.items(), *APR1.items()])
def test_published_examples(password: bytes, hashed: bytes) -> None:
    assert flaw(hashed.decode(), legacy=True) is None
    assert flaw(hashed.decode(), legacy=False) is not None
    assert matches(password, hashed, decoys([hashed]))
    assert not matches(password + b" ", hashed, decoys([hashed]))


@openssl
@pytest.mark.parametrize("password", ["s3cret", "zoë: a+b", "x" * 72])
def test_openssl_makes_the_same(password: str) -> None:
    command = ["openssl", "passwd", "-apr1", password]
    hashed = subprocess.run(command, check=True, capture_output=True).stdout.strip()
    assert flaw(hashed.decode(), legacy=True) is None
    assert matches(password.encode(), hashed, decoys([hashed]))
    assert not matches(b"other", hashed, decoys([hashed]))


@pytest.mark.parametrize(
    "hashed",
    [
        "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA",
        "$apr1$r31......$HqJZimcKQFAMYayBlzkrA/",
        "$apr1$$HqJZimcKQFAMYayBlzkrA/",
        "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA2",
        "{SHA}",
        "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE",
        "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNF=",
        "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n",
    ],
)
def test_b259_malformed(hashed: str) -> None:
    found = flaw(hashed, legacy=True)
    assert found is not None
    assert "malformed" in found


@pytest.mark.parametrize(
    "hashed", ["rqXexS6ZhobKA", "s3cret", "$1$Qw3/Ae$0123456789012345678901", "{SSHA}x", "{sha}x", "{PLAIN}x"]
)
def test_des_md5_and_plain_passwords_are_never_taken(hashed: str) -> None:
    assert flaw(hashed, legacy=True) == flaw(hashed, legacy=False) is not None


@pytest.mark.parametrize(("cost", "taken"), [("04", False), ("05", True), ("14", True), ("15", False)])
def test_costs(cost: str, taken: bool) -> None:
    assert (flaw(f"$2b${cost}{BCRYPT[6:].decode()}", legacy=False) is None) is taken


def test_t46_decoys() -> None:
    """One of bcrypt, as dear as the dearest, and one of each other kind; no password has any of them."""
    assert [decoy[:7] for decoy in decoys([])] == [b"$2b$05$"]
    assert [decoy[:7] for decoy in decoys([BCRYPT, b"$2b$07$", b"$2y$06$"])] == [b"$2b$07$"]
    found = decoys([b"$2b$07$", *SHA.values(), *APR1.values()])
    assert [decoy[:4] for decoy in found] == [b"$2b$", b"$apr", b"{SHA"]
    for decoy in found:
        assert decoy.startswith(b"$2") or flaw(decoy.decode(), legacy=True) is None
        assert not matches(b"", decoy, [decoy])


def test_t46_whoever_it_is_one_of_each_kind_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """So neither an unknown user nor one whose hash is quickly checked is told by the time."""
    checked: list[bytes] = []
    monkeypatch.setattr(hashes, "_matches", lambda password, hashed: checked.append(hashed[:2]))
    known = [b"$2b$07$", *SHA.values(), *APR1.values()]
    for hashed in (None, *known):
        matches(b"x", hashed, decoys(known))
    assert checked == [b"$2", b"$a", b"{S"] * 5


def test_t46_a_decoy_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "_matches", lambda password, hashed: True)
    assert not matches(b"x", None, decoys([*SHA.values()]))


@given(st.text("./ABOeuz09", min_size=53, max_size=53), st.binary(max_size=72))
def test_what_passes_raises_nothing(rest: str, password: bytes) -> None:
    """Whatever passes is taken by the libraries themselves."""
    for hashed in (f"$2y$05${rest}", f"$apr1${rest[:8]}${rest[8:30]}", f"{{SHA}}{rest[:27]}="):
        if flaw(hashed, legacy=True) is None:
            assert not matches(password, hashed.encode(), decoys([hashed.encode()]))


def test_bcrypt() -> None:
    hashed = bcrypt.hashpw(b"s3cret", bcrypt.gensalt(5))
    assert matches(b"s3cret", hashed, decoys([hashed, *SHA.values()]))
    assert not matches(b"secret", hashed, decoys([hashed]))

from pypid.auth.utf8_credentials import encode
from pypid.model import Credentials


def test_t50_encoded() -> None:
    """Names and passwords are UTF-8; what cannot be is nobody's."""
    assert encode(Credentials("zoë", "a:b")) == ("zoë".encode(), b"a:b")
    for odd in ("a\0b", "\udcff"):
        assert encode(Credentials("alice", odd)) is None
        assert encode(Credentials(odd, "x")) is None

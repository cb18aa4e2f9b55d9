"""Digests of what is in a file."""

from hashlib import sha256
from io import BytesIO

from pypid import digests


def test_all_that_is_left_of_a_file_counts() -> None:
    content = bytes(range(256)) * (2 * digests.CHUNK // 256) + b"end"
    file = BytesIO(content)
    assert digests.sha256_of(file) == sha256(content).hexdigest()
    file.seek(7)
    assert digests.sha256_of(file) == sha256(content[7:]).hexdigest()

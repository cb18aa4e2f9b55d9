"""The uploads that an index accepts by its owner's decision."""

from __future__ import annotations

import pytest

from pypid.errors import InvalidUpload
from pypid.upload import UploadRules


@pytest.mark.parametrize(
    ("filename", "usual", "allowed"),
    [
        ("a-1-py3-none-any.whl", True, True),
        ("a-1.tar.gz", True, True),
        ("a-1.zip", False, True),
        ("a-1.tar.bz2", False, True),
        ("a-1.tgz", False, False),
        ("a-1-py2.7.egg", False, False),
        ("a-1.deb", False, False),
    ],
)
def test_c156_kinds_of_archives(filename: str, usual: bool, allowed: bool) -> None:
    """Old kinds are taken if they are on the list, and the usual ones always."""
    assert UploadRules().takes_archive(filename) is usual
    assert UploadRules(old_archives=frozenset({".zip", ".tar.bz2"})).takes_archive(filename) is allowed


@pytest.mark.parametrize(
    ("version", "replaced"),
    [("1.0.dev1", True), ("1.0", False), ("1.0+nightly.3", True), ("1.0rc1", False), ("1.0.DEV1", False)],
)
def test_overwrite(version: str, replaced: bool) -> None:
    """Files are replaced if their version has one of the patterns; none is if there is no pattern."""
    assert UploadRules(overwrite=("*.dev*", "*+nightly*")).may_replace(version) is replaced
    assert not UploadRules().may_replace(version)


def test_weigh() -> None:
    """What PyPI refuses is a warning, once, unless the rules are as strict."""
    assert UploadRules().to_warnings(["a: one", "b: two", "a: one"]) == ("a: one", "b: two")
    assert UploadRules(strict=True).to_warnings([]) == ()
    with pytest.raises(InvalidUpload, match="a: one"):
        UploadRules(strict=True).to_warnings(["a: one", "b: two"])

"""The uploads that a project accepts: files that installers take for the same are the same."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pypid.errors import FileExists, InvalidUpload
from pypid.index.acceptance import Candidate, ProjectState
from pypid.names import parse_filename
from pypid.upload import UploadRules

STRICT = UploadRules(strict=True)
WHEEL = "two_spell-1.0-py2.py3-none-any.whl"


def check_spellings(
    filename: str,
    files: Mapping[str, str | None] | None = None,
    removed: Mapping[str, str] | None = None,
    rules: UploadRules | None = None,
) -> tuple[str, ...]:
    """Compare a file whose digest is "mine" with those of a project."""
    candidate = Candidate(parse_filename(filename), "mine", rules or UploadRules())
    state = ProjectState(files=files or {}, removed=removed or {})
    candidate.check(state, lambda _: None)
    return candidate.check_spellings(state)


@pytest.mark.parametrize("digest", ["mine", "theirs", None])
@pytest.mark.parametrize(
    ("filename", "present"),
    [
        ("x-01.0-py3-none-any.whl", "x-1.0-py3-none-any.whl"),
        ("two.spell-1.0-py3.py2-none-any.whl", WHEEL),
        ("two.spell-1.0.tar.gz", "two_spell-1.0.tar.gz"),
        ("X-1.tar.gz", "x-1.0.tar.gz"),
    ],
)
def test_fault_c2_another_spelling_of_a_file_that_is_there(
    filename: str, present: str, digest: str | None
) -> None:
    """It is refused as one that exists, whatever its bytes are, and may be overwritten or not."""
    for rules in (UploadRules(), UploadRules(overwrite=("*",)), STRICT):
        with pytest.raises(FileExists) as caught:
            check_spellings(filename, {present: digest}, rules=rules)
        assert str(caught.value) == f"File already exists: {filename} (it is {present}, spelled otherwise)"


@pytest.mark.parametrize("digest", ["mine", "theirs"])
def test_fault_c2_another_spelling_of_a_file_that_was_removed(digest: str) -> None:
    with pytest.raises(FileExists, match=r"exists: x-1.tar.gz \(it is x-1.0.tar.gz, which was removed\)"):
        check_spellings("x-1.tar.gz", removed={"x-1.0.tar.gz": digest})
    assert check_spellings("x-1.0.tar.gz", removed={"x-1.0.tar.gz": "mine"}) == ()
    with pytest.raises(FileExists, match="was removed; its name is not for other content"):
        check_spellings("x-1.0.tar.gz", removed={"x-1.0.tar.gz": "theirs"})


def test_fault_c2_what_lies_there_in_two_spellings_stays_what_it_is() -> None:
    """By whoever copied it there; the same bytes again, and an overwriting, are for the very name."""
    both = {"x-1.0.tar.gz": "mine", "x-1.tar.gz": "theirs"}
    assert check_spellings("x-1.0.tar.gz", both, rules=STRICT) == ()
    assert check_spellings("x-1.tar.gz", both, rules=UploadRules(overwrite=("*",))) == ()


def test_different_files_of_a_release() -> None:
    """Those that installers choose among."""
    files = {"x-1.0.tar.gz": "a", "x-1.0-py3-none-any.whl": "b", "x-2.0-py3-none-any.whl": "c"}
    assert check_spellings("x-1.0-py2-none-any.whl", files, rules=STRICT) == ()
    assert check_spellings("x-2.0.tar.gz", files, rules=STRICT) == ()


def test_fault_c4_a_second_sdist_of_a_release() -> None:
    """PyPI takes one, of whichever kind; else there is a warning."""
    said = "content: the release has an sdist already, x-1.zip"
    assert check_spellings("x-1.0.tar.gz", {"x-1.zip": None}) == (said,)
    with pytest.raises(InvalidUpload, match=said):
        check_spellings("x-1.0.tar.gz", {"x-1.zip": None}, rules=STRICT)
    assert check_spellings("x-1.0.tar.gz", removed={"x-1.zip": "theirs"}, rules=STRICT) == ()
    assert check_spellings("x-1.0-py3-none-any.whl", {"x-1.zip": "theirs"}, rules=STRICT) == ()


def test_fault_c4_the_same_bytes_under_another_name() -> None:
    """PyPI has no two files with the same bytes."""
    said = "content: the same bytes are published as x-1.0-py3-none-any.whl"
    files = {"x-1.0-py3-none-any.whl": "mine"}
    assert check_spellings("x-1.0-py2.py3-none-any.whl", files) == (said,)
    with pytest.raises(InvalidUpload, match=said):
        check_spellings("x-1.0-py2.py3-none-any.whl", files, rules=STRICT)

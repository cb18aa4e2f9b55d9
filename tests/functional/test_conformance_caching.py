"""Conformance, section G: caching and revalidation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from harness.conformance import HTML, HTML_V1, JSON, LiveIndex, live_index
from harness.daemon import Daemon
from harness.http import Answer, ask

from pypid.testing.builds import sdist, wheel
from pypid.testing.web import basic

PAGES = ("/simple/", "/simple/sample/")
WHEEL = "/packages/sample/sample-1.0-py3-none-any.whl"
FILES = (WHEEL, f"{WHEEL}.metadata", "/packages/sample/sample-1.0.tar.gz")
UNLIKE = ("/simple/nope/", "/packages/sample/nope-1.0.tar.gz", "/simple", "/simple/Sample/", "/", "/+health")

pages = pytest.mark.parametrize("path", PAGES)
files = pytest.mark.parametrize("path", FILES)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with two files of one project, whose page is long enough to be worth compressing."""
    with live_index(tmp_path_factory.mktemp("caching")) as index:
        index.publish(*wheel("sample", "1.0"))
        index.publish(*sdist("sample", "1.0"))
        for minor in range(30):
            index.drop("sample", f"sample-0.{minor}.zip", b"")
            index.drop(f"another-project-of-ours-{minor}", f"another-project-of-ours-{minor}-1.0.zip", b"")
        yield index


def directives(answer: Answer) -> set[str]:
    """Return the directives of ``Cache-Control``."""
    return {
        part.strip() for value in answer.headers.get_all("Cache-Control", []) for part in value.split(",")
    }


@pytest.mark.parametrize("path", [*PAGES, *FILES, *UNLIKE])
def test_c098_every_response_has_a_date(index: LiveIndex, path: str) -> None:
    """Every response says when it was made."""
    assert parsedate_to_datetime(index.get(path).headers["Date"])


@pages
@pytest.mark.parametrize("accept", [JSON, HTML, HTML_V1])
def test_c099_pages_are_asked_for_each_time(index: LiveIndex, path: str, accept: str) -> None:
    """A page may be kept but not used again unasked: a new upload shows at once."""
    said = directives(index.get(path, accept))
    assert said & {"no-cache", "max-age=0"}
    assert not any(part.startswith("max-age=") and part != "max-age=0" for part in said)


def test_c100_entity_tags_change_with_content_type_and_coding(index: LiveIndex) -> None:
    """A page's strong entity tag is another one for other content, type or encoding."""
    file = index.publish_wheel("changing")
    tags = [index.get("/simple/changing/", accept).headers["ETag"] for accept in (JSON, HTML, HTML_V1)]
    index.yank("changing", "1.0")
    tags += [index.get("/simple/changing/", accept).headers["ETag"] for accept in (JSON, HTML, HTML_V1)]
    index.remove("changing", file.filename)
    tags += [index.get("/simple/changing/", accept).headers["ETag"] for accept in (JSON, HTML, HTML_V1)]
    assert len(set(tags)) == len(tags)
    plain, coded = (index.get("/simple/sample/", JSON, Accept_Encoding=c) for c in ("identity", "gzip"))
    assert coded.headers["Content-Encoding"] == "gzip"
    assert plain.headers["ETag"] != coded.headers["ETag"]


@pages
@pytest.mark.parametrize("accept", [JSON, HTML, HTML_V1])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_c100_unchanged_pages_are_304(index: LiveIndex, path: str, accept: str, coding: str) -> None:
    """`If-None-Match` with it gives a 304 of the same tag, `Vary` and `Cache-Control`."""
    full = index.get(path, accept, Accept_Encoding=coding)
    again = index.get(path, accept, Accept_Encoding=coding, If_None_Match=full.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    for name in ("ETag", "Vary", "Cache-Control"):
        assert again.headers.get_all(name) == full.headers.get_all(name) != []


@pytest.mark.parametrize("path", [*PAGES, *FILES])
@pytest.mark.parametrize("form", ["{0}", '"a",{0}', '"a", {0} ,"b"', "*", "W/{0}", 'W/"a",W/{0}'])
def test_c101_forms_of_if_none_match(index: LiveIndex, path: str, form: str) -> None:
    """`If-None-Match` is understood as a list, with blanks or without, as `*`, and with weak tags."""
    etag = index.get(path).headers["ETag"]
    assert index.get(path, If_None_Match=form.format(etag)).status == 304
    other = form.format('"other"')
    assert index.get(path, If_None_Match=other).status == (304 if form == "*" else 200)


@pytest.mark.parametrize("path", [*PAGES, *FILES])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_c102_entity_tags_are_strong(index: LiveIndex, path: str, coding: str) -> None:
    """Entity tags are strong: uv sends no others back."""
    etag = index.get(path, Accept_Encoding=coding).headers["ETag"]
    assert etag.startswith('"')
    assert etag.endswith('"')


@pytest.mark.parametrize("path", [*PAGES, *FILES, *UNLIKE])
def test_c103_no_cache_has_no_age(index: LiveIndex, path: str) -> None:
    """`no-cache` never stands beside a `max-age` that is not 0, nor beside `Expires`."""
    answer = index.get(path)
    said = directives(answer)
    assert "no-cache" not in said or not any(part.startswith("max-age") for part in said - {"max-age=0"})
    assert answer.headers["Expires"] is None


@files
def test_c104_files_are_kept_for_ever(index: LiveIndex, path: str) -> None:
    """Files and `.metadata` may be kept for a year without asking, and have an entity tag."""
    answer = index.get(path)
    assert {"max-age=31536000", "immutable"} <= directives(answer)
    assert "private" not in directives(answer)
    assert answer.headers["ETag"]


def test_c104_files_that_need_a_sign_in_are_private(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str], tmp_path: Path
) -> None:
    """Where reading needs a sign-in, shared caches may not keep them."""
    project = tmp_path / "private" / "simple" / "sample"
    project.mkdir(parents=True)
    name, content = wheel("sample", "1.0")
    (project / name).write_bytes(content)
    options = ("--upstream", "none", "--access", "private", "--auth", f"htpasswd:{users_file}")
    started = daemon(*options, root=tmp_path / "private")
    for path in (name, f"{name}.metadata"):
        said = directives(ask(f"{started.url}packages/sample/{path}", headers=basic(*user)))
        assert {"private", "max-age=31536000", "immutable"} <= said
        assert "public" not in said


@pytest.mark.parametrize("path", [*PAGES, *FILES, "/", "/simple/nope/", "/simple/Sample/"])
def test_c105_no_store_is_for_secrets(index: LiveIndex, path: str) -> None:
    """`no-store` is for pages with secrets; none of these is one."""
    assert "no-store" not in directives(index.get(path))

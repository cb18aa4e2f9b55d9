"""The rules of the index: the effects of a project's status and history on pages, files and uploads."""

from __future__ import annotations

from hashlib import sha256

import pytest
from attrs import define, field

from pypid.catalog.sqlite import SqliteCatalog
from pypid.errors import FileExists, Forbidden, NotFound
from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index, UploadOutcome, UploadResult
from pypid.model import Principal, Project, Redirect, Status
from pypid.names import parse_filename
from pypid.storage.memory import MemoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.fakes import InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now
from pypid.testing.web import NOW
from pypid.upload.form import UploadForm

WHEEL, CONTENT = wheel("foo", "1.0")


class Everywhere:
    """An upstream that has every project, and remembers whom it was asked for."""

    name = "everywhere"
    summary = "everything is here"
    merged: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def project(self, name: str, *, refresh: bool = False) -> Redirect:
        self.asked.append(name)
        return Redirect(f"https://index.example.org/simple/{name}/")


@define
class Shop:
    """An index with one file published, and what may be done with it."""

    upstream: Everywhere = field(factory=Everywhere)
    index: Index = field(init=False)
    changes: ProjectAdministration = field(init=False)

    def __attrs_post_init__(self) -> None:
        storage = InlineStorage(MemoryStorage())
        catalog = SqliteCatalog(storage, None, InlineWorkers())
        catalog.open()
        self.index = Index(storage, catalog, [self.upstream], InlineWorkers(), lambda: NOW)
        self.changes = ProjectAdministration(storage, catalog, lambda: NOW)

    def publish(self, filename: str, content: bytes) -> UploadOutcome:
        """Upload a file."""
        staging = now(self.index.storage.stage())
        staging.write(content)
        form = UploadForm({}, filename, len(content), {"sha256": sha256(content).hexdigest()})
        verdict: UploadResult = now(
            self.index.publish(form, parse_filename(filename), staging, Principal("alice"))
        )
        return verdict.outcome

    def project(self, name: str = "foo") -> Project:
        """Ask for a project that is here."""
        project = now(self.index.project(name))
        assert isinstance(project, Project)
        return project


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    assert shop.publish(WHEEL, CONTENT) is UploadOutcome.PUBLISHED
    return shop


def test_published_is_in_the_journal_at_once(shop: Shop) -> None:
    serial = now(shop.index.catalog.last_serial())
    assert serial > 0
    assert now(shop.index.projects()) == {"foo": shop.project().serial}
    shop.publish(*sdist("foo", "2.0"))
    assert now(shop.index.catalog.last_serial()) > serial


def test_c75_archived_takes_no_uploads(shop: Shop) -> None:
    """Not even the same bytes again, and nothing new; what is there stays."""
    now(shop.changes.set_status("foo", Status.ARCHIVED, ""))
    for filename, content in [(WHEEL, CONTENT), sdist("foo", "2.0")]:
        with pytest.raises(Forbidden, match="foo is archived"):
            shop.publish(filename, content)
    assert [file.filename for file in shop.project().files] == [WHEEL]
    _, found = now(shop.index.open_file("foo", WHEEL))
    assert found.length == len(CONTENT)


def test_c76_quarantined_offers_nothing(shop: Shop) -> None:
    """The project is there, its files and their metadata are not; nothing comes from upstream instead."""
    now(shop.changes.set_status("foo", Status.QUARANTINED, "stolen password"))
    project = shop.project()
    assert (project.files, project.status, project.status_reason) == (
        (),
        Status.QUARANTINED,
        "stolen password",
    )
    for request in (shop.index.open_file("foo", WHEEL), shop.index.core_metadata("foo", WHEEL)):
        with pytest.raises(NotFound):
            now(request)
    with pytest.raises(Forbidden, match="foo is quarantined"):
        shop.publish(*sdist("foo", "2.0"))
    assert shop.upstream.asked == []
    now(shop.changes.set_status("foo", Status.ACTIVE, ""))
    assert [file.filename for file in shop.project().files] == [WHEEL]


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.DEPRECATED])
def test_c77_the_others_change_nothing(shop: Shop, status: Status) -> None:
    now(shop.changes.set_status("foo", status, "so it is"))
    assert shop.publish(*sdist("foo", "2.0")) is UploadOutcome.PUBLISHED
    now(shop.index.open_file("foo", WHEEL))


def test_c73_yanked_stays_downloadable(shop: Shop) -> None:
    now(shop.changes.yank("foo", "1.0", ""))
    file, content = now(shop.index.open_file("foo", WHEEL))
    assert (file.yanked, content.length) == ("", len(CONTENT))
    now(shop.index.core_metadata("foo", WHEEL))


def test_c95_removed_name_takes_no_other_bytes(shop: Shop) -> None:
    """In whatever mixture of cases; the very same bytes may come back."""
    now(shop.changes.remove("foo", "1.0"))
    other = wheel("foo", "1.0", payload=b"other")[1]
    for filename in (WHEEL, WHEEL.replace("foo", "Foo")):
        with pytest.raises(FileExists, match=f"File already exists: {WHEEL} was removed"):
            shop.publish(filename, other)
    assert shop.project().files == ()
    assert shop.publish(WHEEL, CONTENT) is UploadOutcome.PUBLISHED
    assert shop.publish(WHEEL, CONTENT) is UploadOutcome.UNCHANGED
    assert [file.yanked for file in shop.project().files] == [None]
    with pytest.raises(FileExists):
        shop.publish(WHEEL, other)


def test_t02_removed_project_stays_ours(shop: Shop) -> None:
    """The name of a project of which nothing is left is not looked for upstream."""
    now(shop.changes.remove("foo"))
    assert shop.project().files == ()
    assert shop.upstream.asked == []
    assert isinstance(now(shop.index.project("bar")), Redirect)


def test_an_edition_lasts_until_the_project_changes(shop: Shop) -> None:
    shop.project()
    before = shop.index.validator("foo")
    assert before is not None
    assert before == shop.index.validator("foo") == shop.index.catalog.validator("foo")
    shop.publish(*sdist("foo", "2.0"))
    shop.project()
    assert shop.index.validator("foo") not in (None, before)


def test_the_edition_of_a_project_that_an_upstream_adds_files_to_is_not_known(shop: Shop) -> None:
    """Only the upstream knows of its own changes."""
    shop.upstream.merged = ("foo",)
    assert shop.index.validator("foo") is None

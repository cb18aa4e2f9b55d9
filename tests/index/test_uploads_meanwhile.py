"""The bytes of an upload, and projects that change while an archive is checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from pypid.catalog.sqlite import SqliteCatalog
from pypid.errors import FileExists, Forbidden, InvalidUpload, OutOfSpace, PypidError
from pypid.index.acceptance import Permit, ProjectState
from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index, UploadOutcome, UploadResult
from pypid.model import Principal, Role, Status
from pypid.names import parse_filename
from pypid.runtime.threaded_storage import StagedFile
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import sdist, wheel
from pypid.testing.fakes import InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now
from pypid.testing.web import NOW
from pypid.upload import UploadRules
from pypid.upload.form import UploadForm

ONE, OTHER = wheel("foo", "1.0"), wheel("foo", "1.0", payload=b"other")
TWO = wheel("foo", "2.0")
DEV, NEW_DEV = (wheel("foo", "1.0.dev1", payload=one) for one in (b"", b"new"))


@define
class SlowChecks:
    """Workers that something happens beside while they check an archive."""

    meanwhile: Callable[[], object] = field(default=lambda: None)
    checked: int = 0

    def run(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        self.checked += 1
        answer = InlineWorkers().run(function, *args)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return answer


@define(eq=False)
class Tree:
    """An index over a tree, and those who upload to it."""

    root: Path
    index: Index = field(init=False)
    changes: ProjectAdministration = field(init=False)
    checks: SlowChecks = field(factory=SlowChecks)

    def __attrs_post_init__(self) -> None:
        storage = InlineStorage(DirectoryStorage(self.root))
        storage.open()
        catalog = SqliteCatalog(storage, None, InlineWorkers())
        catalog.open()
        rules = UploadRules(overwrite=("*.dev*",))
        self.index = Index(
            storage, catalog, [], InlineWorkers(), lambda: NOW, rules=rules, checks=self.checks
        )
        self.changes = ProjectAdministration(storage, catalog, lambda: NOW)

    def stage(self, content: bytes) -> StagedFile:
        """Receive the bytes of an upload."""
        staging = now(self.index.storage.stage())
        staging.write(content)
        return staging

    def publish(
        self, build: tuple[str, bytes], who: str = "alice", *, staging: StagedFile | None = None, **more: Any
    ) -> UploadResult:
        """Upload a file."""
        filename, content = build
        form = UploadForm({}, filename, len(content), {"sha256": sha256(content).hexdigest()})
        permit = more.pop("permit", lambda: owned_by(who))
        staging = staging or self.stage(content)
        return now(
            self.index.publish(form, parse_filename(filename), staging, Principal(who), permit=permit, **more)
        )

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the project, as they lie in the tree."""
        found = (self.root / "simple" / "foo").glob("foo-*.whl")
        return {path.name: path.read_bytes() for path in found}

    @property
    def staged(self) -> list[Path]:
        """What was received and neither published nor thrown away."""
        return list(self.root.glob(".pypid/staging/*/*"))


def owned_by(who: str) -> Permit:
    """Permit uploads to a project that nobody has founded, or that somebody owns."""

    def permit(state: ProjectState) -> None:
        if state.is_founded and who not in state.owners:
            raise Forbidden(f"{who} has no role in the project")

    return permit


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    assert tree.publish(ONE) == UploadResult(UploadOutcome.PUBLISHED)
    assert (tree.files, tree.staged) == (dict([ONE]), [])
    return tree


def test_bytes_of_a_refused_upload_are_thrown_away(tree: Tree) -> None:
    """Whoever refuses it: the names that are taken, the permission, and the check of the archive."""
    refusals: list[tuple[tuple[str, bytes], str, type[PypidError]]] = [
        (OTHER, "alice", FileExists),
        (TWO, "bob", Forbidden),
        ((TWO[0], b"this is no wheel"), "alice", InvalidUpload),
    ]
    for build, who, error in refusals:
        with pytest.raises(error):
            tree.publish(build, who)
        assert tree.staged == []
    assert tree.files == dict([ONE])


def test_bytes_of_an_upload_whose_check_fails_unexpectedly_are_thrown_away(tree: Tree) -> None:
    def fail() -> None:
        raise OutOfSpace

    tree.checks.meanwhile = fail
    with pytest.raises(OutOfSpace):
        tree.publish(TWO)
    assert (tree.files, tree.staged) == (dict([ONE]), [])


@pytest.mark.parametrize(
    ("build", "outcome"),
    [
        (ONE, UploadOutcome.UNCHANGED),
        (TWO, UploadOutcome.PUBLISHED),
        (NEW_DEV, UploadOutcome.REPLACED),
    ],
    ids=["same", "new", "overwriting"],
)
def test_a_dry_run_says_what_would_happen_and_keeps_nothing(
    tree: Tree, build: tuple[str, bytes], outcome: UploadOutcome
) -> None:
    tree.publish(DEV)
    before = tree.files
    assert tree.publish(build, dry_run=True).outcome is outcome
    assert (tree.files, tree.staged) == (before, [])
    assert tree.publish(build).outcome is outcome
    assert tree.files == before | dict([build])


def test_a_refused_name_and_a_refused_user_cost_no_check(tree: Tree) -> None:
    """They are refused by the project's page, before the archive is looked into."""
    tree.checks.checked = 0
    with pytest.raises(FileExists):
        tree.publish(OTHER)
    with pytest.raises(Forbidden):
        tree.publish(TWO, "bob")
    assert tree.checks.checked == 0


def test_fault_a4_a_project_that_another_founds_meanwhile_is_theirs(tmp_path: Path) -> None:
    """The permission is asked for once more, of the project's records, before the file becomes visible."""
    tree = Tree(tmp_path)
    tree.checks.meanwhile = lambda: tree.publish(TWO, "bob")
    with pytest.raises(Forbidden, match="alice has no role in the project"):
        tree.publish(ONE)
    assert (tree.files, tree.staged) == (dict([TWO]), [])
    assert now(tree.changes.people("foo"))[Role.OWNER] == ("bob",)


def test_fault_a4_what_is_permitted_is_asked_anew_after_the_check(tree: Tree) -> None:
    """Rights may have been taken away meanwhile: that of the beginning does not count any more."""
    asked: list[str] = []

    def permit() -> Permit:
        asked.append("asked")
        if len(asked) > 1:
            raise Forbidden("not any more")
        return lambda _state: None

    with pytest.raises(Forbidden, match="not any more"):
        tree.publish(TWO, permit=permit)
    assert (tree.files, tree.staged) == (dict([ONE]), [])


def test_fault_a4_a_status_that_is_set_meanwhile_counts(tree: Tree) -> None:
    tree.checks.meanwhile = lambda: now(tree.changes.set_status("foo", Status.ARCHIVED, ""))
    with pytest.raises(Forbidden, match="foo is archived"):
        tree.publish(TWO)
    assert (tree.files, tree.staged) == (dict([ONE]), [])


def test_fault_c2_a_file_that_is_published_in_another_spelling_meanwhile_counts(tree: Tree) -> None:
    """Only the comparison with the project's records finds it."""
    spelled = "foo-2.0.0-py3-none-any.whl", wheel("foo", "2.0.0")[1]
    tree.checks.meanwhile = lambda: tree.publish(TWO)
    with pytest.raises(FileExists, match="spelled otherwise"):
        tree.publish(spelled)
    assert (tree.files, tree.staged) == (dict([ONE, TWO]), [])


def test_fault_a4_the_same_bytes_meanwhile_are_as_good(tree: Tree) -> None:
    tree.checks.meanwhile = lambda: tree.publish(TWO)
    assert tree.publish(TWO).outcome is UploadOutcome.UNCHANGED
    assert (tree.files, tree.staged) == (dict([ONE, TWO]), [])


def test_fault_a4_other_bytes_meanwhile_are_not(tree: Tree) -> None:
    other = TWO[0], wheel("foo", "2.0", payload=b"other")[1]
    tree.checks.meanwhile = lambda: tree.publish(other)
    with pytest.raises(FileExists):
        tree.publish(TWO)
    assert (tree.files, tree.staged) == (dict([ONE, other]), [])


def test_fault_a4_what_replaces_a_file_replaces_the_one_that_was_there(tree: Tree) -> None:
    """Not the one that another upload put in its place during the check."""
    tree.publish(DEV)
    newest = DEV[0], wheel("foo", "1.0.dev1", payload=b"newest")[1]
    tree.checks.meanwhile = lambda: tree.publish(NEW_DEV)
    with pytest.raises(FileExists):
        tree.publish(newest)
    assert (tree.files, tree.staged) == (dict([ONE, NEW_DEV]), [])


def test_who_founds_a_project_owns_it(tree: Tree) -> None:
    assert now(tree.changes.people("foo"))[Role.OWNER] == ("alice",)


def test_a_published_file_is_in_the_journal_before_anybody_is_told(tree: Tree) -> None:
    """Those who read only the journal see it as soon as the uploader does."""
    before = now(tree.index.catalog.last_serial())
    tree.publish(TWO)
    actions = [change.action for change in now(tree.index.catalog.changes(before, 10))]
    assert any(TWO[0] in action for action in actions), actions


def test_core_metadata_is_kept_of_a_wheel_alone(tree: Tree) -> None:
    """What an sdist says of itself binds no build of it (PEP 643)."""
    filename, content = sdist("foo", "3.0")
    tree.publish((filename, content))
    beside = tree.root / "simple" / "foo"
    assert (beside / f"{ONE[0]}.metadata").exists()
    assert not (beside / f"{filename}.metadata").exists()

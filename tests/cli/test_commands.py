"""The command: its effects on a tree, its output, and its exit status."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pypid import __version__
from pypid.cli import open_index
from pypid.cli.main import main
from pypid.cli.open_index import IndexOptions, opened, run
from pypid.testing.builds import sdist, wheel

WHEEL, SDIST, OTHER = wheel("Foo", "1.0"), sdist("Foo", "1.0"), sdist("Foo", "2.0")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree that was made with ``cp``."""
    project = tmp_path / "simple" / "foo"
    project.mkdir(parents=True)
    for name, content in (WHEEL, SDIST, OTHER):
        (project / name).write_bytes(content)
    return tmp_path


def invoke(root: Path, *arguments: str, answer: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["--root", str(root), *arguments], input=answer)


def done(root: Path, *arguments: str) -> str:
    """Run a command that must succeed, and return its one line of output."""
    result = invoke(root, *arguments)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert result.stdout.count("\n") == 1
    return result.stdout.rstrip("\n")


def refused(root: Path, *arguments: str) -> str:
    """Run a command that must be refused, and return its one-line message."""
    result = invoke(root, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("pypid: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


def yanked(root: Path) -> dict[str, str | None]:
    """Read the tree as a daemon would that is started now."""
    with opened(IndexOptions(root)) as changes:
        project = run(changes.catalog.project("foo"))
    assert project is not None
    return {file.filename: file.yanked for file in project.files}


NOTHING = {WHEEL[0]: None, SDIST[0]: None, OTHER[0]: None}


def test_yank_and_unyank(root: Path) -> None:
    said = done(root, "yank", "FOO", "1.0.0", "--reason", "it is broken")
    assert (said.split()[0], WHEEL[0] in said, SDIST[0] in said) == ("yanked", True, True)
    assert yanked(root) == NOTHING | {WHEEL[0]: "it is broken", SDIST[0]: "it is broken"}
    assert done(root, "yank", "foo", "1.0", "--reason", "it is broken").startswith("nothing to do")
    assert done(root, "unyank", "foo", "1.0", "--file", WHEEL[0]) == f"un-yanked {WHEEL[0]}"
    assert done(root, "unyank", "foo", "1.0") == f"un-yanked {SDIST[0]}"
    assert yanked(root) == NOTHING


def test_yank_one_file(root: Path) -> None:
    assert done(root, "yank", "foo", "1.0", "--file", WHEEL[0]) == f"yanked {WHEEL[0]}"
    assert yanked(root) == NOTHING | {WHEEL[0]: ""}


def test_remove(root: Path) -> None:
    assert done(root, "remove", "foo", "2.0", "--yes") == f"removed {OTHER[0]}"
    assert done(root, "remove", "foo", "--file", WHEEL[0], "--yes") == f"removed {WHEEL[0]}"
    assert yanked(root) == {SDIST[0]: None}
    assert done(root, "remove", "foo", "--yes") == f"removed {SDIST[0]}"
    assert yanked(root) == {}
    assert (root / "simple" / "foo").is_dir()


def test_remove_asks_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anybody to ask it does nothing, and so it does when the answer is no."""
    assert "--yes" in refused(root, "remove", "foo")
    monkeypatch.setattr("pypid.cli.commands._is_terminal", lambda: True)
    for answer in ("n\n", "\n", ""):
        result = invoke(root, "remove", "foo", "2.0", answer=answer)
        assert result.exit_code == 1
        assert yanked(root) == NOTHING
    result = invoke(root, "remove", "foo", "2.0", answer="y\n")
    assert (result.exit_code, OTHER[0] in result.stdout.splitlines()[0]) == (0, True)
    assert OTHER[0] not in yanked(root)


def test_many_files_are_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        (root / "simple" / "foo" / f"foo-3.{number}.tar.gz").write_bytes(b"")
    assert "12 files of foo" in refused(root, "remove", "foo")


def test_status(root: Path) -> None:
    assert done(root, "status", "foo") == "foo is active"
    assert done(root, "status", "foo", "quarantined", "--reason", "stolen") == "made quarantined: foo"
    assert done(root, "status", "foo") == "foo is quarantined: stolen"
    assert done(root, "status", "foo", "quarantined", "--reason", "stolen").startswith("nothing to do")
    done(root, "status", "foo", "active")
    assert done(root, "status", "Foo") == "foo is active"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["yank", "bar", "1.0"], "there is no project bar"),
        (["yank", "foo", "3.0"], "no such release of foo"),
        (["yank", "foo", "1.0", "--file", OTHER[0]], "no such file of foo"),
        (["yank", "foo", "1.0", "--reason", "\x1b[2J"], "reason"),
        (["unyank", "foo", "\udcff"], "no such release"),
        (["remove", "foo", "3.0", "--yes"], "no such release of foo"),
        (["remove", "foo", "3.0"], "no such release of foo"),
        (["status", "bar"], "there is no project bar"),
        (["status", "bar", "archived"], "there is no project bar"),
    ],
)
def test_refusals_are_one_line(root: Path, arguments: list[str], said: str) -> None:
    assert said in refused(root, *arguments)
    assert yanked(root) == NOTHING


@pytest.mark.parametrize(
    "arguments",
    [
        ["yank", "foo"],
        ["yank", "a/b", "1.0"],
        ["yank", "", "1.0"],
        ["status", "foo", "gone"],
        ["status", "foo", "--reason", "x"],
        ["explode"],
        [],
    ],
)
def test_wrong_usage_ends_with_2(root: Path, arguments: list[str]) -> None:
    assert invoke(root, *arguments).exit_code == 2
    assert yanked(root) == NOTHING


def test_root_is_required() -> None:
    result = CliRunner().invoke(main, ["status", "foo"])
    assert (result.exit_code, "--root" in result.stderr) == (2, True)
    for arguments in (["--help"], ["yank", "--help"], ["--version"]):
        assert CliRunner().invoke(main, arguments).exit_code == 0
    assert __version__ in CliRunner().invoke(main, ["--version"]).stdout


def test_root_from_the_environment(root: Path) -> None:
    result = CliRunner().invoke(main, ["status", "foo"], env={"PYPID_ROOT": str(root)})
    assert (result.exit_code, result.stdout) == (0, "foo is active\n")


def test_root_that_is_none(tmp_path: Path) -> None:
    """No tree is made where there was none."""
    assert "is no index" in refused(tmp_path, "status", "foo")
    assert "is no index" in refused(tmp_path / "elsewhere", "status", "foo")
    (tmp_path / "file").touch()
    assert "is no index" in refused(tmp_path / "file", "status", "foo")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    (tmp_path / "simple").touch()
    assert "not a directory" in refused(tmp_path, "status", "foo")


def test_fault_g_another_storage(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The directory of the files may be elsewhere; what is derived is below the root."""
    elsewhere = tmp_path_factory.mktemp("root")
    for description in (f"directory:{root}", str(root)):
        assert done(elsewhere, "--storage", description, "status", "foo") == "foo is active"
    done(elsewhere, "--storage", str(root), "yank", "foo", "2.0")
    assert yanked(root)[OTHER[0]] == ""
    assert (elsewhere / ".pypid" / "catalog.sqlite").exists()
    assert not (elsewhere / "simple").exists()
    result = CliRunner().invoke(main, ["--root", str(elsewhere), "status", "foo"])
    assert "if the daemon has a --storage, give it here, too" in result.stderr
    variables = {"PYPID_STORAGE": f"directory:{root}"}
    result = CliRunner().invoke(main, ["--root", str(elsewhere), "status", "foo"], env=variables)
    assert result.stdout == "foo is active\n"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ("memory:", "no command can see"),
        ("directroy:/srv", 'did you mean "directory"?'),
        ("directory:/nowhere", "/nowhere is no index: there is no directory simple in it\n"),
    ],
)
def test_fault_g_storages_that_no_command_can_use(root: Path, description: str, said: str) -> None:
    assert said in refused(root, "--storage", description, "status", "foo") + "\n"


def test_relative_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    assert done(Path(root.name), "status", "foo") == "foo is active"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as others")
def test_root_user_acts_as_the_owner_of_the_tree(root: Path) -> None:
    """What it writes can be written again by the daemon, which is not root."""
    nobody = 65534
    for path in (root, *root.rglob("*")):
        os.chown(path, nobody, nobody)
    parents = [parent for parent in root.parents if parent.stat().st_uid == 0]
    before = {parent: parent.stat().st_mode for parent in parents}
    try:
        for parent in parents[:-1]:
            parent.chmod(before[parent] | 0o011)
        done(root, "yank", "foo", "1.0")
        assert os.geteuid() == 0
        owners = {path: path.stat().st_uid for path in root.rglob("*")}
        assert set(owners.values()) == {nobody}, owners
    finally:
        for parent in parents[:-1]:
            parent.chmod(before[parent])


def test_run_gives_results_and_errors() -> None:
    async def fine() -> int:
        return 1

    async def bad() -> None:
        raise click.ClickException("bad")

    assert open_index.run(fine()) == 1
    with pytest.raises(click.ClickException):
        open_index.run(bad())

"""``pypid owner`` shows and changes owners."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypid.cli.main import main
from pypid.testing.builds import wheel


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree that was made with ``cp``, so nobody owns what is in it."""
    filename, content = wheel("Foo", "1.0")
    project = tmp_path / "simple" / "foo"
    project.mkdir(parents=True)
    (project / filename).write_bytes(content)
    return tmp_path


def invoke(root: Path, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["--root", str(root), "owner", *arguments])


def said(root: Path, *arguments: str, status: int = 0) -> str:
    """Run a command, check its exit status, and return its output."""
    result = invoke(root, *arguments)
    assert result.exit_code == status, result.output
    return (result.stderr if status else result.stdout).removesuffix("\n")


def test_add_list_and_remove(root: Path) -> None:
    assert said(root, "list", "foo") == ""
    assert said(root, "add", "FOO", "ann") == "ann is an owner of foo"
    assert said(root, "add", "foo", "ann") == "ann is an owner of foo already"
    assert said(root, "add", "foo", "bob", "--maintainer") == "bob is a maintainer of foo"
    assert said(root, "list", "Foo").splitlines() == ["owner ann", "maintainer bob"]
    assert said(root, "remove", "foo", "ann", status=1).startswith("pypid: ann is the only owner of foo")
    assert said(root, "add", "foo", "cy") == "cy is an owner of foo"
    assert said(root, "remove", "foo", "ann") == "ann is no longer an owner of foo"
    assert said(root, "remove", "foo", "cy", "--maintainer") == "cy is not a maintainer of foo"
    assert said(root, "remove", "foo", "bob", "--maintainer") == "bob is no longer a maintainer of foo"
    assert said(root, "list", "foo") == "owner cy"


def test_refusals(root: Path) -> None:
    for arguments in (("list", "bar"), ("add", "bar", "ann"), ("remove", "bar", "ann")):
        assert said(root, *arguments, status=1) == "pypid: there is no project bar here"
    for arguments in (("add", "foo", "a b"), ("add", "foo"), ("add", "a/b", "ann"), ("remove", "foo"), ()):
        assert invoke(root, *arguments).exit_code == 2, arguments
    assert said(root, "list", "foo") == ""


def test_fault_f7_an_owner_who_is_no_user(root: Path) -> None:
    """They are added, as users may be known elsewhere, and it is said that they are none here."""
    result = invoke(root, "add", "foo", "ann")
    assert (result.exit_code, result.stdout) == (0, "ann is an owner of foo\n")
    assert result.stderr.startswith(f"note: there is no user ann in {root / 'htpasswd'}")
    assert result.stderr.count("\n") == 1
    (root / "htpasswd").write_text("bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    assert invoke(root, "add", "foo", "bob").stderr == ""
    (root / "htpasswd").unlink()
    (root / "htpasswd").mkdir()
    assert invoke(root, "add", "foo", "cy").exit_code == 0

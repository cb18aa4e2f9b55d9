"""Files that were changed on disk, and archives in places that the index does not read."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import run, script, wait_until
from harness.uploads import JSON, Upload
from harness.upstream import FakeIndex

from pypid.testing.builds import core_metadata, wheel


def pypid(index: Daemon, *arguments: str, status: int = 0) -> str:
    command = [script("pypid"), "--root", index.root, *arguments]
    return run(command, environment=daemon_environment(), status=status).strip()


def listed(index: Daemon, project: str) -> dict[str, str]:
    """Return the digests of the files on a project's page."""
    files = json.loads(ask(f"{index.simple}{project}/", headers=JSON).body)["files"]
    return {file["filename"]: file["hashes"]["sha256"] for file in files}


def test_fault_b2_changed_file_is_withheld_until_it_is_right(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str], upstream: FakeIndex
) -> None:
    """It is a 410, named in the log and by the command, and nobody else's file takes its place."""
    (upstream.directory / "simple" / "acme").mkdir(parents=True)
    (upstream.directory / "simple" / "acme" / "index.html").write_text(
        '<!DOCTYPE html><a href="acme-1.0-py3-none-any.whl">acme-1.0-py3-none-any.whl</a>'
    )
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", f"proxy:{upstream.simple}:merge=acme")
    published = Upload.of("acme", user)
    name, digest = published.filename, sha256(published.content).hexdigest()
    assert published.send(index).status == 200
    assert listed(index, "acme") == {name: digest}
    assert pypid(index, "check") == "nothing to complain of in 1 project"
    path = index.root / "simple" / "acme" / name
    _, changed = wheel("acme", "1.0", payload=b"changed")
    file = f"{index.url}packages/acme/{name}"

    path.write_bytes(changed)
    for url in (file, f"{file}.metadata"):
        answer = ask(url)
        assert (answer.status, answer.text) == (
            410,
            f"{name} is withheld: its bytes are not those that were published here\n",
        )
    assert listed(index, "acme") == {}
    said = f"It was published with the SHA-256 digest {digest}, and has {sha256(changed).hexdigest()} now"
    wait_until(lambda: listed(index, "acme") == {} and said in index.log_text(), "the log says so")
    withheld = f"acme: {name} is withheld: its bytes are not those that were published here"
    assert pypid(index, "check", status=1) == withheld
    refused = published.send(index)
    assert (refused.status, refused.text) == (409, f"File already exists: {name}, with other content\n")
    assert pypid(index, "yank", "acme", "1.0", "--reason", "odd") == f"yanked {name}"
    assert listed(index, "acme") == {}

    path.write_bytes(published.content)
    assert listed(index, "acme") == {name: digest}
    assert ask(file).body == published.content

    path.write_bytes(changed)
    assert ask(file).status == 410
    assert "say --yes" in pypid(index, "accept", "acme", status=1)
    assert pypid(index, "accept", "acme", "--file", name, "--yes") == f"accepted {name}"
    assert listed(index, "acme") == {name: sha256(changed).hexdigest()}
    assert ask(file).body == changed
    assert ask(f"{file}.metadata").body == core_metadata("acme", "1.0")
    assert pypid(index, "accept", "acme", "--yes") == "nothing to do: no file was changed"

    path.write_bytes(published.content)
    assert pypid(index, "remove", "acme", "--yes") == f"removed {name}"
    assert listed(index, "acme") == {}
    assert not [request for request in upstream.requests if request.endswith(".whl")]


def test_fault_b4_archives_in_wrong_places(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """The start tells how many and what to do, and so does the command; none makes an empty project."""
    root = tmp_path / "flat"
    deep = "simple/foo/old/1.x/foo-1.5.zip"
    for path in ("foo-1.0.tar.gz", "bar/1.0/bar-1.0.zip", "simple/loose-1.zip", deep):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"bytes")
    index = daemon("--upstream", "none", root=root)
    expected = [
        "2 archives lie outside of simple/, and nobody is offered them: ",
        "1 archive lies in simple/ itself, and nobody is offered them: ",
        "1 archive lies deeper than simple/<project>/, and nobody is offered them: ",
    ]
    for line in expected:
        wait_until(lambda line=line: line in index.log_text(), line)  # type: ignore[misc]
    assert ask(f"{index.simple}foo/").status == 404
    assert json.loads(ask(index.simple, headers=JSON).body)["projects"] == []
    said = pypid(index, "check", status=1)
    assert [line for line in expected if line not in said] == []
    run(["sh", "-c", said.splitlines()[-1].split("`")[1]])
    assert list(listed(index, "foo")) == ["foo-1.5.zip"]


def test_fault_b4_root_that_is_no_index(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """Where a directory of archives is taken for a root, it is said that none of them is served."""
    root = tmp_path / "flat"
    root.mkdir()
    for number in range(3):
        (root / f"foo-{number}.zip").write_bytes(b"bytes")
    index = daemon("--upstream", "none", root=root)
    said = "3 archives lie outside of simple/, and nobody is offered them: "
    wait_until(lambda: said in index.log_text(), said)


def test_fault_b4_empty_directory_hides_no_project(
    daemon: Callable[..., Daemon], upstream: FakeIndex
) -> None:
    """The upstream's is found; one that has a record still, or is reserved, is not looked for."""
    for name in ("empty", "emptied", "acme-private"):
        (upstream.directory / "simple" / name).mkdir(parents=True)
        page = f'<!DOCTYPE html><a href="{name}-9.0.tar.gz">{name}-9.0.tar.gz</a>'
        (upstream.directory / "simple" / name / "index.html").write_text(page)
    index = daemon("--upstream", f"proxy:{upstream.simple}", "--reserve", "acme-*")
    for name in ("empty/old/1.x", "emptied", "acme-private"):
        (index.root / "simple" / name).mkdir(parents=True)
    (index.root / "simple" / "emptied" / ".pypid.json").write_text('{"status": "active"}')
    assert "empty-9.0.tar.gz" in ask(f"{index.simple}empty/").text
    assert listed(index, "emptied") == {}
    assert ask(f"{index.simple}acme-private/").status == 404
    assert {path for path in upstream.requests if path.startswith("/simple/")} == {"/simple/empty/"}

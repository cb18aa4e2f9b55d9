"""The blocks of documents that are more than a call of ``pypid`` are run as they are written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import bcrypt
from harness.clients import client_environment
from harness.daemon import Daemon, daemon_environment
from harness.documents import ROOT, adapted, blocks, commands
from harness.http import ask
from harness.processes import require_tool, run, script
from harness.tools import Toolbox
from harness.universal import universal_sdist, universal_wheel

from pypid.cli import open_index
from pypid.cli.open_index import IndexOptions, opened
from pypid.model import Role

EXAMPLE = "https://packages.example.org/"


def test_fault_f8_addresses(daemon: Callable[..., Daemon], tmp_path: Path, pip_python: Path) -> None:
    """All that the list of addresses shows how to ask, and all that it says can be read."""
    started = daemon("--upstream", "none")
    directory = started.root / "simple" / "sample"
    directory.mkdir(parents=True)
    name, content = universal_wheel("sample", "99.1")
    (directory / name).write_bytes(content)
    home = tmp_path / "home"
    home.mkdir()
    environment = client_environment(home) | {"PATH": f"{pip_python.parent}:/usr/bin:/bin"}
    said = {}
    for purpose, text in blocks("addresses.md").items():
        shell = text.replace(EXAMPLE, started.url).replace(
            "pip install ", f"pip install --target {home}/got "
        )
        said[purpose] = run(["bash", "-euc", shell], environment=environment, directory=home)
    assert (home / "got" / "sample").exists() or list((home / "got").glob("sample*"))
    assert '"99.1"' in said["json"]
    assert "sample 99.1" in said["feed"]
    assert said["xml-rpc"] == "['sample']\n"
    table = re.findall(r"^\| `(/.*)` \| ", (ROOT / "docs" / "addresses.md").read_text(), re.MULTILINE)
    read = [
        address for cell in table for address in cell.split("`, `") if not address.startswith("/integrity")
    ]
    assert len(read) >= 10
    expected = {"/NAME/": 303, "/packages/FILE": 302, "/+metrics": 401}
    for address in read:
        path = adapted(address, {"NAME": "sample", "VERSION": "99.1", "FILE": name})
        answer = ask(started.url + path.removeprefix("/"))
        assert answer.status == expected.get(address, 200), address


def test_fault_f8_changes_over_http(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """Each call of curl does what it is there for, to a project of the user whom ``~/.netrc`` has."""
    require_tool("curl", "apt-get install curl")
    hashed = bcrypt.hashpw(b"SECRET", bcrypt.gensalt(5)).decode()
    (tmp_path / "users").write_text(f"ci:{hashed}\n")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ci password SECRET\n")
    started = daemon("--upstream", "none", "--auth", tmp_path / "users")
    lines = [line for line in commands(ROOT / "docs" / "cli.md") if line.startswith("curl -n")]
    assert len(lines) >= 7
    for number, line in enumerate(lines):
        project = f"foo{number}"
        directory = started.root / "simple" / project
        directory.mkdir(parents=True)
        for name, content in (universal_wheel(project, "1.2"), universal_sdist(project, "1.2")):
            (directory / name).write_bytes(content)
        options = IndexOptions(started.root)
        with opened(options) as changes:
            open_index.run(changes.add_person(project, Role.OWNER, "ci"))
            open_index.run(changes.yank(project, "1.2", "so that it can be taken back"))
        shell = adapted(line, {EXAMPLE: started.url, "foo": project, "curl ": "curl --fail-with-body -sS "})
        said = run(["bash", "-euc", shell], environment={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
        assert project in said or said.split()[0] in ("bob", "added", "made"), (line, said)


def test_fault_f8_the_plugin(tmp_path: Path, pip_python: Path) -> None:
    """It is built, listed and taken, and passes its own tests."""
    tools = Toolbox(pip_python).environment("hatchling==1.27.0", "build==1.3.0")
    project = tmp_path / "acme-pypid"
    for name, text in blocks("plugins.md").items():
        if "." in name:
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    run([tools / "python", "-m", "build", "--wheel", "--no-isolation", project])
    [wheel] = project.glob("dist/*.whl")
    place = tmp_path / "place"
    run([pip_python, "-m", "pip", "install", "--no-deps", "--no-index", "--target", place, wheel])
    environment = daemon_environment() | {"PYTHONPATH": str(place)}
    said = run([script("twistd"), "-n", "pypid", "--help-auth"], environment=environment)
    assert re.search(r"acme:HOST +users of Acme's mail server \(pypid.plugins.acme\)", said)
    command = [script("trial"), "--temp-directory", tmp_path / "trial", project / "test_acme_pypid.py"]
    assert "successes=" in run(command, environment=environment)


def test_fault_f8_files_are_copied(tmp_path: Path) -> None:
    """From a directory of any depth into that of their projects, each once; what is there already stays."""
    packages, root = tmp_path / "packages", tmp_path / "pypi"
    (packages / "old ones" / "deep").mkdir(parents=True)
    for directory, (name, content) in (
        (packages, universal_wheel("sample_lib", "1.0")),
        (packages / "old ones", universal_sdist("Sample.Lib", "0.9")),
        (packages / "old ones" / "deep", ("other-2.0-py2.7.egg", b"")),
    ):
        (directory / name).write_bytes(content)
    (packages / "README").touch()
    text = adapted(blocks("migrating.md")["copy"], {"/srv/packages": str(packages), "/var/pypi": str(root)})
    for _ in range(2):
        run(["bash", "-euc", text])
    found = sorted(str(path.relative_to(root / "simple")) for path in root.rglob("*") if path.is_file())
    assert found == [
        "other/other-2.0-py2.7.egg",
        *sorted(
            f"sample-lib/{name}"
            for name, _ in (universal_wheel("sample_lib", "1.0"), universal_sdist("Sample.Lib", "0.9"))
        ),
    ]


def test_fault_f8_installed_without_a_network(tmp_path: Path, pip_python: Path) -> None:
    """What one machine collects another one installs, with no index at all."""
    text = blocks("offline.md")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "pypid", "twisted"):
        (source / name).symlink_to(ROOT / name)
    python = {"python3 ": f"{pip_python} "}
    run(["bash", "-euc", adapted(text["collect"], python)], directory=source)
    offline = client_environment(tmp_path) | {"PIP_INDEX_URL": "http://127.0.0.1:9/"}
    (target := tmp_path / "target").mkdir()
    (source / "wheels").rename(target / "wheels")
    said = run(["bash", "-euc", adapted(text["install"], python)], directory=target, environment=offline)
    assert said.splitlines()[-1].startswith("pypid ")


def test_fault_f8_the_container_runs_what_the_image_says() -> None:
    """Its entry point is the documented one, where the volume is."""
    text = (ROOT / "etc" / "docker" / "Dockerfile").read_text()
    entry = re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)
    assert entry is not None
    assert json.loads(entry[1]) == ["pypid", "serve", "--listen", "0.0.0.0:8080"]
    assert "ENV PYPID_ROOT=/var/pypi\nVOLUME /var/pypi\n" in text

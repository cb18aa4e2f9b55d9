"""Plugins of another distribution, installed beside pypid."""

from __future__ import annotations

import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.archives import make_wheel
from harness.clients import Clients, make_environment
from harness.daemon import QUIET, daemon_environment
from harness.http import ask
from harness.processes import free_port, run, running, script, wait_until

from pypid.testing.web import basic

ACME_INDEX = '''
"""Acme's way to keep files, to know users, and to find what is not here."""

from pathlib import Path

from attrs import frozen
from zope.interface import implementer

from pypid.interfaces import IAuthenticator
from pypid.model import Principal
from pypid.storage.memory import MemoryStorage
from pypid.upstream.redirect import RedirectUpstream


class AcmeStorage(MemoryStorage):
    def __init__(self, bucket: Path) -> None:
        super().__init__()
        self._bucket = bucket

    def open(self) -> None:
        super().open()
        self._bucket.mkdir(parents=True)


@implementer(IAuthenticator)
@frozen
class AcmeAuthenticator:
    badge: str

    def open(self):
        pass

    def close(self):
        pass

    def is_usable(self):
        return True

    async def revision(self):
        return 0

    async def authenticate(self, credentials):
        return Principal(credentials.username) if credentials.password == self.badge else None


def acme_upstream():
    return RedirectUpstream("https://acme.example.org/simple/")
'''

DROPIN = '''
"""Registers them."""

from attrs import frozen
from zope.interface import implementer

from pypid.errors import ConfigurationError
from pypid.interfaces import IAuthenticatorFactory, IStorageFactory, IUpstreamFactory


@implementer(IStorageFactory)
@frozen
class StorageFactory:
    prefix: str = "acme"
    summary: str = "files in a bucket at Acme"
    argument_format: str = "BUCKET"

    def from_description(self, argument, context):
        from acme_index import AcmeStorage

        if not argument:
            raise ConfigurationError("acme needs a bucket: acme:BUCKET")
        return AcmeStorage(context.root / argument)


@implementer(IAuthenticatorFactory)
@frozen
class AuthenticatorFactory:
    prefix: str = "acme"
    summary: str = "everybody with the badge"
    argument_format: str = "BADGE"

    def from_description(self, argument, context):
        from acme_index import AcmeAuthenticator

        return AcmeAuthenticator(argument)


@implementer(IUpstreamFactory)
@frozen
class UpstreamFactory:
    prefix: str = "acme"
    summary: str = "the index of Acme"
    argument_format: str = ""

    def from_description(self, argument, context):
        from acme_index import acme_upstream

        return acme_upstream()


storage = StorageFactory()
authenticator = AuthenticatorFactory()
upstream = UpstreamFactory()
'''

ACME = {"acme_index.py": ACME_INDEX, "pypid/plugins/acme.py": DROPIN}

RAISES = "raise RuntimeError('the licence of Acme has expired')"
NOT_VERIFIED = DROPIN.replace("from_description(self, argument, context)", "from_description(self)", 1)
TAKEN = DROPIN.replace('prefix: str = "acme"', 'prefix: str = "directory"', 1)

Install = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def install(tmp_path: Path, pip_python: Path) -> Install:
    """Return a function that installs a distribution of the modules it is given into a fresh environment.

    It answers the interpreter. That environment has what this one has, pypid above all, from where
    it is here, and nothing of the distribution is seen outside.
    """

    def make(modules: Mapping[str, str]) -> Path:
        python = make_environment(tmp_path / "environment", "--without-pip")
        here = sysconfig.get_path("purelib")
        (site,) = (tmp_path / "environment").glob("lib/python*/site-packages")
        (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
        wheel = make_distribution(tmp_path, modules)
        run([pip_python, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel])
        return python

    return make


def make_distribution(directory: Path, modules: Mapping[str, str]) -> Path:
    """Write a wheel of some modules, by their paths."""
    info = "acme_index-1.0.dist-info"
    files = {
        **modules,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme-index\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: acme\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    wheel = directory / "acme_index-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in [*files.items(), (f"{info}/RECORD", record)]:
            archive.writestr(path, text)
    return wheel


def twistd(python: Path, *arguments: str | Path) -> list[str | Path]:
    """Return the command that starts the daemon in another environment."""
    return [python, script("twistd"), "-n", "--pidfile=", "pypid", *arguments]


def refused(python: Path, *arguments: str | Path) -> str:
    """Start a daemon that must not come up, and return the last line, which says why."""
    said = run(twistd(python, *arguments), environment=daemon_environment(), status=None)
    assert not any(sign in said for sign in QUIET), said
    return said.strip().splitlines()[-1]


def test_shows_up_in_help(install: Install) -> None:
    """Each kind lists the plugin beside the built-in ones, with its summary and its module."""
    python = install(ACME)
    for option, usage, summary, builtin in (
        ("--help-storage", "acme:BUCKET", "files in a bucket at Acme", "directory:DIR"),
        ("--help-auth", "acme:BADGE", "everybody with the badge", "htpasswd:FILE"),
        ("--help-upstream", "acme", "the index of Acme", "redirect:URL"),
    ):
        said = run(twistd(python, option), environment=daemon_environment())
        (line,) = [line for line in said.splitlines() if "acme" in line]
        assert line.split(None, 1) == [usage, f"{summary} (pypid.plugins.acme)"]
        assert builtin in said


def test_works(install: Install, clients: Clients, tmp_path: Path) -> None:
    """What twine uploads to Acme's storage with Acme's badge, pip installs; for the rest there is Acme."""
    python = install(ACME)
    url = f"http://127.0.0.1:{(port := free_port())}/"
    command = twistd(
        *(python, "--root", tmp_path / "pypi", "--listen", f"tcp:{port}:interface=127.0.0.1"),
        *("--storage", "acme:bucket", "--auth", "acme:badge", "--upstream", "acme:"),
    )
    log = tmp_path / "pypi.log"
    with running(command, f"{url}+health", log):
        wheel = make_wheel(tmp_path, "sample", "1.0")
        clients.twine_upload(url, ("alice", "no badge"), wheel, status=1)
        assert ask(f"{url}packages/sample/{wheel.name}").status != 200
        clients.twine_upload(url, ("alice", "badge"), wheel)
        assert ask(f"{url}packages/sample/{wheel.name}").body == wheel.read_bytes()
        assert clients.pip_install(f"{url}simple/", "sample").version("sample") == "1.0"
        assert (tmp_path / "pypi" / "bucket").is_dir()
        assert not (tmp_path / "pypi" / "simple").exists()
        elsewhere = ask(f"{url}simple/other/")
        assert elsewhere.status in (302, 303, 307)
        assert elsewhere.headers["Location"] == "https://acme.example.org/simple/other/"
    assert not any(sign in log.read_text() for sign in QUIET)


BLOCKING = '''
"""A storage that is wary of the thread that it is called in, and of which one project takes its time."""

import time
from threading import current_thread, main_thread

from zope.interface import implementer

from pypid.interfaces import IStorage
from pypid.storage.memory import MemoryStorage


@implementer(IStorage)
class AcmeStorage:
    def __init__(self, bucket):
        self.bucket, self.memory = bucket, MemoryStorage()

    def __getattr__(self, name):
        assert current_thread() is not main_thread() or name == "fingerprint", name
        return getattr(self.memory, name)

    def open(self):
        assert current_thread() is main_thread()
        self.bucket.mkdir(parents=True)

    def close(self):
        assert current_thread() is main_thread()

    def fingerprint(self, project):
        return self.__getattr__("fingerprint")(project)

    def moved(self, projects):
        return self.__getattr__("moved")(projects)

    def misplaced(self):
        return self.__getattr__("misplaced")()

    def project(self, name):
        while name == "slow" and not (self.bucket / "go").exists():
            (self.bucket / "asked").touch()
            time.sleep(0.01)
        return self.__getattr__("project")(name)

    def projects(self):
        return self.__getattr__("projects")()

    def read(self, project, filename, function):
        return self.__getattr__("read")(project, filename, function)

    def open_file(self, project, filename):
        return self.__getattr__("open_file")(project, filename)

    def sidecar(self, project, filename, sidecar):
        return self.__getattr__("sidecar")(project, filename, sidecar)

    def stage(self):
        return self.__getattr__("stage")()

    def changing(self, project):
        return self.__getattr__("changing")(project)
'''


_BEGIN, _END = ACME_INDEX.index("@implementer(IAuthenticator)"), ACME_INDEX.index("def acme_upstream")
AUTHENTICATOR = f"""
from attrs import frozen
from pypid.interfaces import IAuthenticator
from pypid.model import Principal


{ACME_INDEX[_BEGIN:_END]}
"""


def test_a_storage_that_blocks_holds_up_nobody(install: Install, clients: Clients, tmp_path: Path) -> None:
    """All of it but what costs nothing is called in threads; who waits for it waits alone."""
    python = install(ACME | {"acme_index.py": BLOCKING + AUTHENTICATOR})
    bucket = tmp_path / "pypi" / "bucket"
    url = f"http://127.0.0.1:{(port := free_port())}/"
    command = twistd(
        *(python, "--root", tmp_path / "pypi", "--listen", f"tcp:{port}:interface=127.0.0.1"),
        *("--storage", "acme:bucket", "--auth", "acme:badge", "--upstream", "none"),
    )
    log = tmp_path / "pypi.log"
    with running(command, f"{url}+health", log), ThreadPoolExecutor(1) as pool:
        wheel = make_wheel(tmp_path, "sample", "1.0")
        clients.twine_upload(url, ("alice", "badge"), wheel)
        slow = pool.submit(ask, f"{url}simple/slow/")
        try:
            wait_until((bucket / "asked").exists, "the slow project is asked for")
            assert ask(f"{url}+health").status == 200
            assert ask(f"{url}packages/sample/{wheel.name}").body == wheel.read_bytes()
            yank = ask(f"{url}project/sample/1.0/yank", "POST", headers=basic("alice", "badge"), body=b"")
            assert (yank.status, yank.text) == (200, f"yanked {wheel.name}\n")
            assert b"data-yanked" in ask(f"{url}simple/sample/").body
            assert not slow.done()
        finally:
            (bucket / "go").touch()
        assert slow.result(60).status == 404
    said = log.read_text()
    assert not any(sign in said for sign in QUIET), said


def test_fault_g_the_command_opens_the_same_storage(install: Install, tmp_path: Path) -> None:
    """What the daemon has in Acme's storage the command changes there, once it is told which it is."""
    on_disk = ACME_INDEX.replace("MemoryStorage", "DirectoryStorage").replace(".memory", ".directory")
    on_disk = on_disk.replace("super().__init__()", "super().__init__(bucket)")
    on_disk = on_disk.replace("mkdir(parents=True)", "mkdir(parents=True, exist_ok=True)")
    python = install(ACME | {"acme_index.py": on_disk})
    root, url = tmp_path / "pypi", f"http://127.0.0.1:{(port := free_port())}/"
    directory = root / "bucket" / "simple" / "sample"
    directory.mkdir(parents=True)
    wheel = make_wheel(directory, "sample", "1.0")

    def pypid(*words: str, status: int = 0, **variables: str) -> str:
        environment = daemon_environment() | variables
        return run([python, script("pypid"), "--root", root, *words], environment=environment, status=status)

    options = ("--storage", "acme:bucket", "--upstream", "none")
    command = twistd(python, "--root", root, "--listen", f"127.0.0.1:{port}", *options)
    with running(command, f"{url}+health", tmp_path / "pypi.log"):
        assert b"data-yanked" not in ask(f"{url}simple/sample/").body
        assert pypid("--storage", "acme:bucket", "yank", "sample", "1.0") == f"yanked {wheel.name}\n"
        assert b"data-yanked" in ask(f"{url}simple/sample/").body
        assert "nothing to do" in pypid("yank", "sample", "1.0", PYPID_STORAGE="acme:bucket")
        assert "give it here, too" in pypid("yank", "sample", "1.0", status=1)
    pypid("--storage", "acme:bucket", "cache", "stats")
    assert not (root / "simple").exists()


def test_its_own_refusal(install: Install, tmp_path: Path) -> None:
    """A plugin's word on its argument reaches the user."""
    line = refused(install(ACME), "--root", tmp_path / "pypi", "--storage", "acme:")
    assert "acme needs a bucket: acme:BUCKET" in line


@pytest.mark.parametrize(
    ("dropin", "reason"),
    [
        pytest.param(
            RAISES,
            "pypid.plugins.acme cannot be imported: RuntimeError: the licence of Acme has expired",
            id="raises",
        ),
        pytest.param(
            NOT_VERIFIED,
            "pypid.plugins.acme.storage does not provide IStorageFactory: ",
            id="does-not-verify",
        ),
        pytest.param(TAKEN, "pypid.plugins.acme.storage", id="prefix-is-taken"),
    ],
)
def test_broken_dropin_stops_the_start(install: Install, tmp_path: Path, dropin: str, reason: str) -> None:
    """Even if no option asks for it: one line names the plugin and the reason, and nothing is made."""
    python = install({"pypid/plugins/acme.py": dropin})
    assert reason in refused(python, "--root", tmp_path / "pypi")
    assert reason in refused(python, "--help-storage")
    assert not (tmp_path / "pypi").exists()

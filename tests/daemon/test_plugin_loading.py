import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from pypid.daemon.plugin_loading import Plugins, load_plugins
from pypid.errors import ConfigurationError, PluginError
from pypid.interfaces import (
    IAccessPolicyFactory,
    IAuthenticatorFactory,
    IStorage,
    IStorageFactory,
    IUpstreamFactory,
)
from pypid.plugins import builtin
from pypid.testing.fakes import FakeContext

HEAD = """
from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer
from pypid.errors import ConfigurationError
from pypid.interfaces import IUpstreamFactory
from pypid.upstream.none import NoUpstream

@implementer(IUpstreamFactory)
@frozen
class Factory:
    prefix: str = "acme"
    summary: str = "Acme's index"
    argument_format: str = "KEY"

    def from_description(self, argument, context):
        return NoUpstream(summary=argument)
"""


class Dropins:
    """A plugin package in a directory of the test's."""

    def __init__(self, directory: Path) -> None:
        self.package = f"dropins_{directory.name}"
        self._directory = directory / self.package
        self._directory.mkdir()
        (self._directory / "__init__.py").touch()

    def add(self, module: str, source: str) -> None:
        (self._directory / f"{module}.py").write_text(HEAD + source)

    def load(self) -> Plugins:
        package: ModuleType = import_module(self.package)
        return load_plugins(package)

    def error(self) -> str:
        """Load what must not load, and return the one line that says why."""
        with pytest.raises(PluginError) as refusal:
            self.load()
        assert len(str(refusal.value).splitlines()) == 1
        return str(refusal.value)


@pytest.fixture
def dropins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dropins]:
    monkeypatch.syspath_prepend(tmp_path)
    made = Dropins(tmp_path)
    yield made
    for name in [name for name in sys.modules if name.startswith(made.package)]:
        del sys.modules[name]


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return FakeContext(tmp_path)


@pytest.mark.parametrize(
    ("kind", "description", "name"),
    [
        (IStorageFactory, "directory:/var/pypi", "DirectoryStorage"),
        (IStorageFactory, "memory:", "MemoryStorage"),
        (IStorageFactory, "memory", "MemoryStorage"),
        (IAuthenticatorFactory, "htpasswd:/etc/pypid/htpasswd", "HtpasswdAuthenticator"),
        (IAuthenticatorFactory, "htpasswd:/etc/a:b:optional:legacy=yes", "HtpasswdAuthenticator"),
        (IAuthenticatorFactory, "htpasswd:optional", "HtpasswdAuthenticator"),
        (IAccessPolicyFactory, "open", "OpenAccess"),
        (IAccessPolicyFactory, "private", "PrivateAccess"),
        (IAccessPolicyFactory, "anyone", "AnyoneAccess"),
        (IAccessPolicyFactory, "anyone:anyone", "AnyoneAccess"),
        (IAccessPolicyFactory, "rules:/etc/pypid/rules.toml", "RulesAccess"),
        (IUpstreamFactory, "redirect:https://index.example.org/simple/", "RedirectUpstream"),
        (IUpstreamFactory, "none", "NoUpstream"),
    ],
)
def test_builtin(kind: Any, description: str, name: str, context: FakeContext) -> None:
    """Each built-in description makes its provider, and opens nothing."""
    assert type(load_plugins().make(kind, description, context)).__name__ == name
    assert list(context.root.iterdir()) == []


def test_builtin_factories_verify() -> None:
    kinds = (IStorageFactory, IAuthenticatorFactory, IAccessPolicyFactory, IUpstreamFactory)
    for name in builtin.__all__:
        factory = getattr(builtin, name)
        (kind,) = [kind for kind in kinds if kind.providedBy(factory)]
        assert verifyObject(kind, factory)


@pytest.mark.parametrize(
    ("kind", "description"),
    [
        (IStorageFactory, "directory:"),
        (IStorageFactory, "directory"),
        (IStorageFactory, "memory:x"),
        (IAuthenticatorFactory, "htpasswd:"),
        (IAuthenticatorFactory, "htpasswd::optional"),
        (IAuthenticatorFactory, "htpasswd:users:legacy=1"),
        (IAuthenticatorFactory, "htpasswd:users:legacy=1:optional"),
        (IAccessPolicyFactory, "open:x"),
        (IAccessPolicyFactory, "private:x"),
        (IAccessPolicyFactory, "anyone:x"),
        (IAccessPolicyFactory, "rules:"),
        (IUpstreamFactory, "redirect:"),
        (IUpstreamFactory, "redirect:ftp://index.example.org/"),
        (IUpstreamFactory, "none:x"),
    ],
)
def test_wrong_argument(kind: Any, description: str, context: FakeContext) -> None:
    """An argument that is missing, wrong or too much is refused in one line."""
    with pytest.raises(ConfigurationError) as refusal:
        load_plugins().make(kind, description, context)
    assert len(str(refusal.value).splitlines()) == 1


def test_relative_path(context: FakeContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Paths count from where the daemon was started, wherever it goes after that."""
    monkeypatch.chdir(tmp_path)
    authenticator = load_plugins().make(IAuthenticatorFactory, "htpasswd:users", context)
    monkeypatch.chdir("/")
    with pytest.raises(SystemExit, match=str(tmp_path / "users")):
        authenticator.open()


def test_unknown_prefix(context: FakeContext) -> None:
    """The error lists what there is, and guesses what was meant."""
    with pytest.raises(ConfigurationError) as refusal:
        load_plugins().make(IStorageFactory, "directroy:/var/pypi", context)
    assert str(refusal.value) == (
        "there is no storage 'directroy'; did you mean \"directory\"? There are: directory:DIR, memory"
    )


@pytest.mark.parametrize("description", ["", ":", "/var/pypi", "a\nb:c", "é" * 200, "DIRECTORY:/var/pypi"])
def test_unknown_prefix_of_any_form(description: str, context: FakeContext) -> None:
    """Whatever was given, the error is one short line of ASCII."""
    with pytest.raises(ConfigurationError) as refusal:
        load_plugins().make(IStorageFactory, description, context)
    line = str(refusal.value)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert len(line) < 600


def test_help() -> None:
    """Built-in ones stand there as they are to be written."""
    text = load_plugins().help(IUpstreamFactory)
    assert text.splitlines() == [
        "  none                      projects that are not here are not found",
        "  proxy:URL[:OPTION...]     another index, whose pages and files are kept once they were asked for",
        "  redirect:URL[:name=NAME]  clients are sent on to another index, URL/<project>/",
    ]


def test_third_party(dropins: Dropins, context: FakeContext) -> None:
    """A plugin of another module is made with all that follows the first colon, and help names its module."""
    dropins.add("acme", "factory = Factory()\nalias = factory")
    plugins = dropins.load()
    assert plugins.make(IUpstreamFactory, "acme:a:b", context).summary == "a:b"
    assert plugins.help(IUpstreamFactory) == f"  acme:KEY  Acme's index ({dropins.package}.acme)"
    with pytest.raises(ConfigurationError, match=r"there is no storage .acme.\. There are: "):
        plugins.make(IStorageFactory, "acme:x", context)


def test_imported_factory(dropins: Dropins) -> None:
    """A module may import another's factory; it is one all the same."""
    dropins.add("acme", "factory = Factory()")
    dropins.add("other", f"from {dropins.package}.acme import factory")
    dropins.load()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise ValueError('a\\nb')", "ValueError: a b"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError: invalid syntax (acme.py, line"),
    ],
)
def test_broken_module(dropins: Dropins, source: str, reason: str) -> None:
    """A module that cannot be imported is named with the reason."""
    dropins.add("acme", source)
    start = f"the plugin module {dropins.package}.acme cannot be imported: {reason}"
    assert dropins.error().startswith(start)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("del Factory.from_description", "from_description(argument, context) attribute was not provided"),
        ("Factory.from_description = lambda self: None", "doesn't allow enough arguments"),
        ("Factory.from_description = None; Factory.prefix", "from_description"),
    ],
)
def test_not_verified(dropins: Dropins, source: str, reason: str) -> None:
    """An object that does not keep to its interface is named with what it lacks."""
    dropins.add("acme", f"{source}\nfactory = Factory()")
    error = dropins.error()
    assert error.startswith(f"the plugin {dropins.package}.acme.factory does not provide IUpstreamFactory: ")
    assert reason in error


def test_missing_attributes(dropins: Dropins) -> None:
    """All that is missing is said at once."""
    dropins.add("acme", "@implementer(IUpstreamFactory)\nclass Empty: pass\nfactory = Empty()")
    error = dropins.error()
    for name in ("prefix", "summary", "argument_format", "from_description"):
        assert name in error


def test_plugin_of_no_kind(dropins: Dropins) -> None:
    dropins.add("acme", "@implementer(IPlugin)\nclass Odd: pass\nodd = Odd()")
    assert dropins.error() == (
        f"the plugin {dropins.package}.acme.odd provides none of IStorageFactory, IAuthenticatorFactory,"
        " IAccessPolicyFactory, IUpstreamFactory"
    )


@pytest.mark.parametrize(
    "arguments", ["''", "'Acme'", "'a:b'", "'acme\\n'", "None", "'acme', None", "'acme', 'index', 3"]
)
def test_unfit_texts(dropins: Dropins, arguments: str) -> None:
    """A prefix that no description could begin with is refused, and so is what help could not show."""
    dropins.add("acme", f"factory = Factory({arguments})")
    assert dropins.error().startswith(
        f"the plugin {dropins.package}.acme.factory needs a prefix of a-z 0-9 -"
    )


def test_same_prefix_twice(dropins: Dropins) -> None:
    dropins.add("acme", "first = Factory()")
    dropins.add("other", "second = Factory(summary='another')")
    assert dropins.error() == (
        f'{dropins.package}.acme.first and {dropins.package}.other.second are plugins of one prefix, "acme"'
    )


def test_failing_factory(dropins: Dropins, context: FakeContext) -> None:
    """An error that is not meant for the user names the plugin; one that is goes through as it is."""
    source = (
        "def fail(self, argument, context): raise {}\nFactory.from_description = fail\nfactory = Factory()"
    )
    dropins.add("acme", source.format("KeyError('bucket')"))
    with pytest.raises(PluginError, match=r"the plugin \w+.acme.factory failed: KeyError: 'bucket'"):
        dropins.load().make(IUpstreamFactory, "acme:x", context)


def test_refusing_factory(dropins: Dropins, context: FakeContext) -> None:
    source = (
        "def fail(self, argument, context): raise {}\nFactory.from_description = fail\nfactory = Factory()"
    )
    dropins.add("acme", source.format("ConfigurationError('a key has 20 letters')"))
    with pytest.raises(ConfigurationError, match=r"^a key has 20 letters$"):
        dropins.load().make(IUpstreamFactory, "acme:x", context)


def test_wrong_provider(dropins: Dropins, context: FakeContext) -> None:
    """What a plugin makes has to keep to its interface, too."""
    dropins.add("acme", "Factory.from_description = lambda self, argument, context: 3\nfactory = Factory()")
    with pytest.raises(PluginError) as refusal:
        dropins.load().make(IUpstreamFactory, "acme:x", context)
    assert str(refusal.value).startswith(
        f"what the plugin {dropins.package}.acme.factory made does not provide IUpstream: "
    )


def test_types(context: FakeContext) -> None:
    """What is made has the type of its kind, for mypy as well."""
    storage: IStorage = load_plugins().make(IStorageFactory, "memory", context)
    assert IStorage.providedBy(storage)

"""pip, uv and twine as their users run them, configured for no other index."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from attrs import define, field
from harness import secrecy
from harness.processes import run

TRUST = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")
"""The variables by which clients learn which certificates to trust."""

_CONFIGURES_CLIENTS = ("PIP_", "UV_", "TWINE_", "PYPID_", "PYTHON", "VIRTUAL_ENV", "XDG_", *TRUST)


def make_environment(directory: Path, *options: str) -> Path:
    """Make a virtual environment and return its interpreter."""
    run([sys.executable, "-m", "venv", *options, directory])
    return directory / "bin" / "python"


def client_environment(home: Path) -> dict[str, str]:
    """Return an environment without the user's configuration files, cache and keyring."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURES_CLIENTS)}
    return {
        **clean,
        "HOME": str(home),
        "NETRC": str(home / "netrc"),
        "NO_PROXY": "127.0.0.1,localhost",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "TWINE_NON_INTERACTIVE": "1",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


@define
class Clients:
    """The clients, with a home directory of their own, and fresh environments to install into."""

    home: Path
    """Where they keep what they keep."""
    pip_python: Path
    """An interpreter with the pip that came with it."""
    environment: dict[str, str] = field()
    """The variables that they run with; a test may add some."""

    @environment.default
    def _clean(self) -> dict[str, str]:
        return client_environment(self.home)

    def pip(self, *arguments: str | Path, status: int | None = 0) -> str:
        """Run pip and return its output."""
        return self._run([self.pip_python, "-m", "pip", *arguments], status)

    def uv(self, *arguments: str | Path, status: int | None = 0) -> str:
        """Run uv and return its output."""
        return self._run([sys.executable, "-m", "uv", *arguments], status)

    def twine(self, *arguments: str | Path, status: int | None = 0) -> str:
        """Run twine and return its output."""
        return self._run([sys.executable, "-m", "twine", *arguments], status)

    def twine_upload(
        self,
        url: str,
        user: tuple[str, str],
        *files: Path,
        options: tuple[str, ...] = (),
        status: int | None = 0,
    ) -> str:
        """Upload files with ``twine upload``."""
        secrecy.remember(user[1])
        login = ("--username", user[0], "--password", user[1])
        return self.twine("upload", "--repository-url", url, *login, *options, *files, status=status)

    def uv_publish(self, url: str, user: tuple[str, str], *files: Path, status: int | None = 0) -> str:
        """Upload files with ``uv publish``."""
        secrecy.remember(user[1])
        login = ("--username", user[0], "--password", user[1], "--trusted-publishing", "never")
        return self.uv("publish", "--publish-url", url, *login, *files, status=status)

    def pip_install(self, simple: str, *requirements: str, options: tuple[str, ...] = ()) -> Installed:
        """Install with pip into a fresh environment, from the index ``simple`` alone."""
        installed = self._fresh()
        self.pip("--python", installed.python, "install", "--index-url", simple, *options, *requirements)
        return installed

    def uv_install(self, simple: str, *requirements: str, options: tuple[str, ...] = ()) -> Installed:
        """Install with uv into a fresh environment, from the index ``simple`` alone."""
        installed = self._fresh()
        where = ("--python", installed.python, "--default-index", simple)
        self.uv("pip", "install", *where, *options, *requirements)
        return installed

    def _fresh(self) -> Installed:
        number = sum(1 for path in self.home.glob("environment-*"))
        directory = self.home / f"environment-{number}"
        return Installed(make_environment(directory, "--without-pip"), self.environment)

    def _run(self, command: list[str | Path], status: int | None) -> str:
        return run(command, environment=self.environment, directory=self.home, status=status)


@define
class Installed:
    """A virtual environment that a client installed into."""

    python: Path
    """Its interpreter."""
    environment: dict[str, str]
    """The variables to run it with."""

    def version(self, module: str) -> str:
        """Import one of the samples there and return its ``VERSION``."""
        code = f"import {module}; print({module}.VERSION)"
        return run([self.python, "-c", code], environment=self.environment).strip()

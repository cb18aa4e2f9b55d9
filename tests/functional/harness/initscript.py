"""The init script of ``etc/``, installed in another place."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from attrs import define, field
from harness.daemon import daemon_environment
from harness.etc import ETC, substitute
from harness.privileges import ServiceUser, keeping_the_right_to_read, service_user
from harness.processes import free_port, run, script


@define
class InitScript:
    """``etc/init.d/pypid`` with a default file that points it elsewhere."""

    directory: Path
    user: ServiceUser = field(factory=service_user)
    port: int = field(factory=free_port)

    @property
    def path(self) -> Path:
        return self.directory / "pypid"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def root(self) -> Path:
        return self.directory / "var" / "pypi"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "pypid.log"

    @property
    def pidfile(self) -> Path:
        return self.directory / "run" / "pypid.pid"

    @property
    def pid(self) -> int:
        return int(self.pidfile.read_text())

    def install(self, **changes: str) -> None:
        """Write the script and its default file, as an administrator would change it."""
        default = self.directory / "default"
        settings = {
            "PYPID_TWISTD": script("twistd"),
            "PYPID_USER": self.user.name,
            "PYPID_ROOT": str(self.root),
            "PYPID_LOG": str(self.log),
            "PYPID_PIDFILE": str(self.pidfile),
            "PYPID_OPTIONS": f"--listen tcp:{self.port}:interface=127.0.0.1 --upstream none",
            **changes,
        }
        text = (ETC / "default" / "pypid").read_text()
        for name, value in settings.items():
            assert f"\n#{name}=" in text, f"{name} is no setting of the default file"
            text = re.sub(rf"^#{name}=.*$", f"{name}={shlex.quote(value)}", text, flags=re.MULTILINE)
        default.write_text(text)
        script_text = substitute(
            (ETC / "init.d" / "pypid").read_text(),
            {"\nDEFAULTS=/etc/default/pypid\n": f"\nDEFAULTS={default}\n"},
        )
        self.path.write_text(script_text)
        self.path.chmod(0o755)

    def __call__(self, action: str, status: int = 0) -> str:
        """Run the script with ``action``; it must end with ``status``."""
        environment = {**daemon_environment(), "LC_ALL": "C"}
        command = [*keeping_the_right_to_read(), str(self.path), action]
        return run(command, environment=environment, directory=self.directory, status=status)

"""One upload, and its traces in a daemon."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from attrs import frozen
from harness.daemon import Daemon
from harness.http import Answer, ask

from pypid.testing.builds import core_metadata, wheel
from pypid.testing.web import basic, upload_form

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@frozen
class Upload:
    """A wheel of version 1.0, and the user who uploads it."""

    project: str
    """The name of its project, normalized."""
    filename: str
    """Its name."""
    content: bytes
    """Its bytes."""
    user: tuple[str, str]
    """Name and password of the user."""

    @classmethod
    def of(cls, project: str, user: tuple[str, str], payload: bytes = b"") -> Upload:
        """Build the wheel."""
        return cls(project, *wheel(project, "1.0", payload=payload), user)

    def request(self) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of its upload."""
        headers, body = upload_form(self.filename, self.content, self.project, "1.0")
        return headers | basic(*self.user), body

    def send(self, daemon: Daemon) -> Answer:
        """Upload it."""
        headers, body = self.request()
        return ask(f"{daemon.url}legacy/", "POST", headers=headers, body=body)

    def has_file(self, daemon: Daemon) -> bool:
        """Return whether the file can be downloaded; if so, its bytes must be right."""
        answer = ask(f"{daemon.url}packages/{self.project}/{self.filename}")
        assert answer.status == 404 or (answer.status == 200 and answer.body == self.content), answer
        return answer.status == 200

    def has_metadata(self, daemon: Daemon) -> bool:
        """Return whether its core metadata can be downloaded; if so, they must be right."""
        answer = ask(f"{daemon.url}packages/{self.project}/{self.filename}.metadata")
        found = answer.status, answer.body
        assert answer.status == 404 or found == (200, core_metadata(self.project, "1.0")), answer
        return answer.status == 200

    def is_listed(self, daemon: Daemon) -> bool:
        """Return whether it is the only file on the project's page; if so, its entry must be right."""
        answer = ask(f"{daemon.simple}{self.project}/", headers=JSON)
        assert answer.status in (200, 404), answer
        files = json.loads(answer.body)["files"] if answer.status == 200 else []
        if files:
            [file] = files
            assert (file["filename"], file["hashes"]["sha256"], file["core-metadata"]["sha256"]) == (
                self.filename,
                sha256(self.content).hexdigest(),
                sha256(core_metadata(self.project, "1.0")).hexdigest(),
            )
        return bool(files)

    def is_published(self, daemon: Daemon) -> bool:
        """Return whether it is completely published. It must not be partly there, nor an empty project."""
        parts = self.has_file(daemon), self.has_metadata(daemon), self.is_listed(daemon)
        assert len(set(parts)) == 1, parts
        assert parts[0] or ask(f"{daemon.simple}{self.project}/").status == 404
        return parts[0]


def staged(root: Path) -> list[Path]:
    """Return the names of the files in staging."""
    return [path for path in (root / ".pypid" / "staging").rglob("*") if not path.is_dir()]

"""One upload, and what a daemon then has of it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from attrs import frozen
from harness.daemon import Daemon
from harness.http import Answer, ask

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@frozen
class Upload:
    """A wheel of version 1.0, and who uploads it."""

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
        """Give the headers and the body that upload it."""
        headers, body = upload_form(self.filename, self.content, self.project, "1.0")
        return headers | basic(*self.user), body

    def send(self, daemon: Daemon) -> Answer:
        """Upload it."""
        headers, body = self.request()
        return ask(f"{daemon.url}legacy/", "POST", headers=headers, body=body)

    def parts(self, daemon: Daemon) -> tuple[bool, bool, bool]:
        """Tell whether the file is there, its core metadata, and both on the page; each must be right."""
        url = f"{daemon.url}packages/{self.project}/{self.filename}"
        file, metadata = ask(url), ask(f"{url}.metadata")
        page = ask(f"{daemon.simple}{self.project}/", headers=JSON)
        for answer in (file, metadata, page):
            assert answer.status in (200, 404), answer
        listed = json.loads(page.body)["files"] if page.status == 200 else []
        assert file.status == 404 or file.body == self.content
        if listed:
            [entry] = listed
            assert entry["filename"] == self.filename
            assert entry["hashes"]["sha256"] == sha256(self.content).hexdigest()
            if metadata.status == 200:
                assert entry["core-metadata"]["sha256"] == sha256(metadata.body).hexdigest()
        return file.status == 200, metadata.status == 200, bool(listed)

    def is_published(self, daemon: Daemon) -> bool:
        """Tell whether all of it is there; half of it must not be."""
        parts = self.parts(daemon)
        assert len(set(parts)) == 1, parts
        if not parts[0]:
            assert not (daemon.root / "simple" / self.project).exists()
        return parts[0]


def staged(root: Path) -> list[Path]:
    """Name the files that are in staging."""
    return [path for path in (root / ".pypid" / "staging").rglob("*") if not path.is_dir()]

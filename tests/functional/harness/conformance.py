"""A real daemon with a user, and shorthands for tests of its answers: uploads, parsed pages, changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import bcrypt
from attrs import define, field, frozen
from harness.daemon import Daemon
from harness.forms import Part, encode, upload_parts
from harness.http import Answer, ask
from harness.processes import wait_until

from pypid.names import parse_filename
from pypid.testing.builds import wheel
from pypid.testing.web import basic

JSON = "application/vnd.pypi.simple.v1+json"
HTML_V1 = "application/vnd.pypi.simple.v1+html"
HTML = "text/html"
USER = ("alice", "correct horse")

REDIRECTS = (301, 302, 303, 307, 308)


class Page(HTMLParser):
    """An HTML page: its links and its metadata, every attribute unescaped."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.meta: dict[str, str] = {}
        self._link: Link | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links and metadata."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._link = Link(attributes)
            self.links.append(self._link)
        elif tag == "meta" and "name" in attributes:
            self.meta[attributes["name"]] = attributes["content"]

    def handle_endtag(self, tag: str) -> None:
        """Note where a link ends."""
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        """Note the text of links."""
        if self._link is not None:
            self._link.text += data

    def link(self, text: str) -> dict[str, str]:
        """Return the attributes of the only link with that text."""
        (found,) = [link.attributes for link in self.links if link.text == text]
        return found


@define
class Link:
    """A link of an HTML page."""

    attributes: dict[str, str]
    text: str = ""


@define
class LiveIndex:
    """A daemon that answers, and shorthands for asking it."""

    daemon: Daemon
    """The daemon."""
    user: tuple[str, str] = USER
    """Who may change things."""
    credentials: dict[str, str] = field(init=False)
    """The header that says so."""

    @credentials.default
    def _basic(self) -> dict[str, str]:
        return basic(*self.user)

    @property
    def simple_directory(self) -> Path:
        """The directory in which the daemon keeps the projects."""
        return self.daemon.root / "simple"

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send one request; ``path`` begins with a slash, and is sent as it is."""
        return ask(self.daemon.url.removesuffix("/") + path, method, headers=headers, body=body)

    def get(self, path: str, accept: str | None = None, **headers: str) -> Answer:
        """Send a GET; underscores in header names stand for dashes."""
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            lines["Accept"] = accept
        return self.request("GET", path, lines)

    def follow(self, path: str, accept: str | None = None) -> Answer:
        """Send a GET, and follow redirects as a browser does."""
        for _ in range(5):
            answer = self.get(path, accept)
            if answer.status not in REDIRECTS:
                return answer
            here = self.daemon.url.removesuffix("/")
            path = urljoin(here + path, answer.headers["Location"]).removeprefix(here)
        raise AssertionError(f"redirects without end: {path}")

    def json(self, name: str | None = None) -> dict[str, Any]:
        """Return a project's page, or the list of projects, as JSON."""
        answer = self.get(f"/simple/{name}/" if name else "/simple/", JSON)
        assert answer.status == 200, answer
        page: dict[str, Any] = json.loads(answer.body)
        return page

    def html(self, name: str | None = None) -> Page:
        """Return a project's page, or the list of projects, as HTML."""
        answer = self.get(f"/simple/{name}/" if name else "/simple/", HTML)
        assert answer.status == 200, answer
        return Page(answer.text)

    def entry(self, name: str, filename: str) -> dict[str, Any]:
        """Return the entry of one file in the JSON page."""
        (found,) = [file for file in self.json(name)["files"] if file["filename"] == filename]
        entry: dict[str, Any] = found
        return entry

    def path(self, name: str, filename: str) -> str:
        """Return the path of a file's URL in the JSON page."""
        url: str = self.entry(name, filename)["url"]
        return urlsplit(urljoin(f"{self.daemon.simple}{name}/", url)).path

    def upload(self, filename: str, content: bytes, name: str | None = None, **fields: str | None) -> Answer:
        """Upload a file, by default under the project name in its file name."""
        if name is not None:
            fields["name"] = name
        return self.send(upload_parts(filename, content, **fields))

    def send(self, parts: Sequence[Part], path: str = "/legacy/") -> Answer:
        """Send a form with these parts as the user."""
        headers, body = encode(parts)
        return self.request("POST", path, {**headers, **self.credentials}, body)

    def files(self, name: str) -> set[str]:
        """Return the names of a project's files; none if there is no such project."""
        if self.get(f"/simple/{name}/").status == 404:
            return set()
        return {file["filename"] for file in self.json(name)["files"]}

    def projects(self) -> list[str]:
        """Return the names of all projects."""
        return [project["name"] for project in self.json()["projects"]]

    def tree(self) -> dict[Path, bytes]:
        """Wait until staging is empty; return the digests of all files under the root except the catalog."""
        self.wait_for_empty_staging()
        paths = [path for path in self.daemon.root.rglob("*") if path.is_file()]
        kept = [path for path in paths if not path.name.startswith("catalog.sqlite")]
        return {path: sha256(path.read_bytes()).digest() for path in kept}

    def wait_for_empty_staging(self) -> None:
        """Wait until staging is empty. A refusal is sent before the last worker has removed its file."""
        staging = self.daemon.root / ".pypid" / "staging"
        wait_until(lambda: not any(path.is_file() for path in staging.rglob("*")), "staging is empty", 10)

    def publish(self, filename: str, content: bytes, name: str | None = None) -> Published:
        """Upload a file, which must be accepted."""
        answer = self.upload(filename, content, name)
        assert answer.status == 200, answer
        return Published(parse_filename(filename).project, filename, content)

    def publish_wheel(self, name: str, version: str = "1.0", **options: Any) -> Published:
        """Build a wheel and upload it."""
        return self.publish(*wheel(name, version, **options), name)

    def drop(self, project: str, filename: str, content: bytes) -> Published:
        """Put a file into the tree, as ``cp`` would."""
        directory = self.simple_directory / project
        directory.mkdir(parents=True, exist_ok=True)
        (directory / filename).write_bytes(content)
        return Published(project, filename, content)

    def change(self, path: str, method: str = "POST", **form: str) -> Answer:
        """Send a change as the user; it must succeed."""
        headers = {**self.credentials, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.request(method, path, headers, urlencode(form).encode())
        assert answer.status in (200, 204), (path, answer)
        return answer

    def yank(self, name: str, version: str, **form: str) -> None:
        """Yank a release, or only the file that the form names."""
        self.change(f"/project/{name}/{version}/yank", **form)

    def unyank(self, name: str, version: str, **form: str) -> None:
        """Take a yank back."""
        self.change(f"/project/{name}/{version}/unyank", **form)

    def set_status(self, name: str, status: str, **form: str) -> None:
        """Set a project's status."""
        self.change(f"/project/{name}/status", status=status, **form)

    def remove(self, name: str, filename: str) -> None:
        """Remove a file."""
        self.change(f"/packages/{name}/{filename}", "DELETE")


@frozen
class Published:
    """A published file."""

    project: str
    """The project's normalized name."""
    filename: str
    """The file's name."""
    content: bytes
    """Its bytes."""

    @property
    def path(self) -> str:
        """The path of its download."""
        return f"/packages/{self.project}/{self.filename}"


def write_users(path: Path, *users: tuple[str, str]) -> Path:
    """Write a users file with cheap hashes, so that a sign-in costs no time."""
    lines = (
        f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()}" for name, password in users
    )
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@contextmanager
def live_index(directory: Path, *options: str, users: Sequence[tuple[str, str]] = ()) -> Iterator[LiveIndex]:
    """Run a daemon with a root in ``directory``, :data:`USER` and ``users``, and no upstream."""
    file = write_users(directory / "users", USER, *users)
    daemon = Daemon(directory / "pypi", ("--auth", f"htpasswd:{file}", "--upstream", "none", *options))
    daemon.start()
    try:
        yield LiveIndex(daemon)
        daemon.stop()
    finally:
        daemon.kill()

"""Private projects stay private, and withheld files stay away, whatever clients request."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.daemon import Daemon, daemon_environment
from harness.http import ask, download
from harness.processes import run, script
from harness.scripted import ScriptedIndex, answer

from pypid.testing.builds import core_metadata, sdist, wheel

Proxied = Callable[..., Daemon]
User = tuple[str, str]
JSON = "application/vnd.pypi.simple.v1+json"


def publish(scripted: ScriptedIndex, project: str, version: str, **entry: object) -> str:
    """Have a wheel upstream; return its name."""
    filename, content = wheel(project, version)
    scripted.offer(project, filename, content, **entry)
    return filename


def listed(daemon: Daemon, project: str) -> list[str]:
    """List the files on a project's page."""
    page = json.loads(ask(f"{daemon.simple}{project}/", headers={"Accept": JSON}).body)
    return [file["filename"] for file in page["files"]]


def test_t01_a_private_project_hides_the_public_one(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients, users_file: Path, user: User, tmp_path: Path
) -> None:
    """pip and uv get 1.0, whatever version there is upstream, and upstream nobody hears of it."""
    filename = publish(scripted, "acme-lib", "99.0")
    started = proxied(arguments=("--auth", f"htpasswd:{users_file}"))
    clients.twine_upload(started.url, user, make_wheel(tmp_path, "acme-lib", "1.0"))
    for spelling in ("acme-lib", "Acme_Lib"):
        assert clients.pip_install(started.simple, spelling).version("acme_lib") == "1.0"
        assert clients.uv_install(started.simple, spelling).version("acme_lib") == "1.0"
        clients.pip("download", "--index-url", started.simple, "--refresh-package", spelling, status=None)
    refresh = {"Cache-Control": "no-cache"}
    assert ask(f"{started.simple}acme-lib/", headers=refresh).status == 200
    for path in (f"packages/acme-lib/{filename}", f"packages/acme-lib/{filename}.metadata"):
        assert ask(started.url + path, headers=refresh).status == 404
    assert ask(f"{started.url}pypi/acme-lib/99.0/json", headers=refresh).status == 404
    assert scripted.requests == []


def test_t02_reserved_and_removed_names_stay_here(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients, users_file: Path, user: User, tmp_path: Path
) -> None:
    """Five hundred names, in any spelling, by any path; and a project of which nothing is left."""
    publish(scripted, "gone", "99.0")
    started = proxied(arguments=("--reserve", "acme-*", "--auth", f"htpasswd:{users_file}"))
    for number in range(500):
        assert ask(f"{started.simple}acme-{number}/").status == 404
    for path in ("packages/acme-x/acme_x-1.0.tar.gz", "pypi/acme-x/json", "pypi/acme-x/1.0/json"):
        assert ask(started.url + path).status == 404
    for spelling in ("Acme_x", "ACME.x", "acme--x"):
        assert ask(f"{started.simple}{spelling}/").status == 301
    clients.pip("download", "--index-url", started.simple, "--retries", "0", "acme-x", status=None)
    wanted = tmp_path / "requirements.in"
    wanted.write_text("acme-x\n")
    clients.uv("pip", "compile", "--default-index", started.simple, wanted, status=None)
    clients.twine_upload(started.url, user, make_wheel(tmp_path, "gone", "1.0"))
    command = [script("pypid"), "--root", started.root, "remove", "gone", "--yes"]
    run(command, environment=daemon_environment())
    assert listed(started, "gone") == []
    clients.pip("download", "--index-url", started.simple, "--retries", "0", "gone", status=None)
    assert scripted.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "simple/-foo/",
        "simple/foo%20bar/",
        "simple/f%c3%b6%c3%b6/",
        "simple/foo%00/",
        "simple/..%2ffoo/",
        "simple/%2e%2e/",
        "simple/foo;v=1/",
        "simple/" + "x" * 101 + "/",
        "pypi/-foo/json",
        "packages/-foo/foo-1.0.tar.gz",
        "packages/foo%2f..%2fbar/foo-1.0.tar.gz",
    ],
)
def test_a_malformed_name_never_goes_upstream(proxied: Proxied, scripted: ScriptedIndex, path: str) -> None:
    started = proxied()
    assert ask(started.url + path).status in (400, 404)
    assert scripted.requests == []


def test_t03_merging_adds_what_is_not_here(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients, users_file: Path, user: User, tmp_path: Path
) -> None:
    """Of a file that both have ours is the only one; the names are told at the start."""
    twin = publish(scripted, "acme-lib", "1.0", hashes={"sha256": "00" * 32})
    newer = publish(scripted, "acme-lib", "2.0")
    publish(scripted, "acme-other", "99.0")
    started = proxied("merge=acme-lib", arguments=("--auth", f"htpasswd:{users_file}"))
    assert "acme-lib" in started.log_text()
    mine = make_wheel(tmp_path, "acme-lib", "1.0", payload=b"mine")
    clients.twine_upload(started.url, user, mine, make_wheel(tmp_path, "acme-other", "1.0"))
    assert listed(started, "acme-lib") == [twin, newer]
    assert download(f"{started.url}packages/acme-lib/{twin}").body == mine.read_bytes()
    assert clients.pip_install(started.simple, "acme-lib").version("acme_lib") == "2.0"
    assert clients.uv_install(started.simple, "acme-lib<2").version("acme_lib") == "1.0"
    assert clients.uv_install(started.simple, "acme-other").version("acme_other") == "1.0"
    assert not any("acme-other" in path for path in scripted.asked)
    scripted.script("/simple/acme-lib/", answer(500))
    started.stop()
    (started.root / ".pypid" / "cache").rename(tmp_path / "cache")
    started.start()
    assert ask(f"{started.simple}acme-lib/").status == 502


def test_upstreams_in_order(daemon: Callable[..., Daemon], scripted: ScriptedIndex, clients: Clients) -> None:
    """The first that has a project gives all of it; one that fails is not passed over."""
    publish(scripted, "foo", "1.0")
    publish(scripted, "bar", "1.0")
    other = scripted.simple.replace("/simple/", "/second/simple/")
    for name, version in (("foo", "99.0"), ("baz", "2.0")):
        filename, content = wheel(name, version)
        scripted.script(f"/second/files/{filename}", answer(200, content))
        link = f'<a href="../../files/{filename}">{filename}</a>'.encode()
        scripted.script(f"/second/simple/{name}/", answer(200, link, Content_Type="text/html"))
    started = daemon("--upstream", f"proxy:{scripted.simple}", "--upstream", f"proxy:{other}")
    assert clients.pip_install(started.simple, "foo", "baz").version("foo") == "1.0"
    assert clients.uv_install(started.simple, "foo", "baz").version("baz") == "2.0"
    assert not any("second" in path and "foo" in path for path in scripted.asked)
    assert ask(f"{started.simple}nowhere/").status == 404
    for status, expected in ((500, 502), (403, 502), (404, 200)):
        name = f"wanted-{status}"
        scripted.script(f"/simple/{name}/", answer(status))
        link = f'<a href="../../files/wanted_{status}-1.0.tar.gz">x</a>'.encode()
        scripted.script(f"/second/simple/{name}/", answer(200, link, Content_Type="text/html"))
        assert ask(f"{started.simple}{name}/").status == expected


def test_fault_d1_a_bucket_that_says_403_for_what_is_not_there(
    daemon: Callable[..., Daemon], scripted: ScriptedIndex, clients: Clients
) -> None:
    """With ``missing=403`` the next upstream is asked, as after a 404; and a failure ends the search still.

    Metadata that the bucket promises and does not give is read out of the wheel.
    """
    bucket = scripted.simple.replace("/simple/", "/bucket/")
    filename, content = wheel("torch", "2.9.0", requires_dist=["plain"])
    digest = sha256(content).hexdigest()
    link = f'<a href="../{filename}#sha256={digest}" data-core-metadata="true">{filename}</a>'.encode()
    scripted.script("/bucket/torch/", answer(200, link, Content_Type="text/html"))
    scripted.script(f"/bucket/{filename}", answer(200, content))
    for path in (f"/bucket/{filename}.metadata", "/bucket/plain/", "/bucket/nowhere/"):
        scripted.script(path, answer(403, b"<Error><Code>AccessDenied</Code></Error>"))
    publish(scripted, "plain", "1.0")
    started = daemon("--upstream", f"proxy:{bucket}:missing=403", "--upstream", f"proxy:{scripted.simple}")
    metadata = ask(f"{started.url}packages/torch/{filename}.metadata")
    assert (metadata.status, b"Name: torch" in metadata.body) == (200, True)
    installed = clients.pip_install(started.simple, "torch")
    assert (installed.version("torch"), installed.version("plain")) == ("2.9.0", "1.0")
    assert clients.uv_install(started.simple, "torch").version("plain") == "1.0"
    assert ask(f"{started.simple}nowhere/").status == 404
    publish(scripted, "wanted", "1.0")
    scripted.script("/bucket/wanted/", answer(500))
    assert ask(f"{started.simple}wanted/").status == 502


def age(days: float) -> str:
    """Write the time when something was so many days old."""
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


POLICIES = {
    "min-age=3d": "min-age",
    "before=2026-01-01": "before",
    "deny=foo>=2": "deny",
    "allow=foo<2,other": "allow",
}


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_withheld_is_had_in_no_way(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients, policy: str
) -> None:
    """Not by a page of any kind, nor by a URL that somebody knew before; the refusal names the rule."""
    times = {"1.0": "2020-01-01T00:00:00Z", "2.0": age(1)}
    old, new = (
        publish(scripted, "foo", version, upload_time=time, metadata=core_metadata("foo", version))
        for version, time in times.items()
    )
    started = proxied(policy)
    assert listed(started, "foo") == [old]
    for path in ("simple/foo/", "pypi/foo/json", "+simple/foo/"):
        assert new not in ask(started.url + path).text
    assert ask(f"{started.url}pypi/foo/2.0/json").status == 404
    asked = len(scripted.requests)
    for suffix in ("", ".metadata"):
        for method in ("GET", "HEAD"):
            refused = ask(f"{started.url}packages/foo/{new}{suffix}", method)
            assert refused.status == 403
            if method == "GET":
                assert POLICIES[policy] in refused.text
    assert len(scripted.requests) == asked
    assert clients.pip_install(started.simple, "foo").version("foo") == "1.0"
    assert clients.uv_install(started.simple, "foo").version("foo") == "1.0"
    said = clients.pip("download", "--no-deps", "--index-url", started.simple, "foo==2.0", status=None)
    assert "No matching distribution" in said


def test_a_name_that_is_denied_is_not_asked_for(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients
) -> None:
    """Clients that show reason phrases say which rule it was."""
    filename = publish(scripted, "evil-lib", "1.0")
    started = proxied("deny=evil-*,worse")
    for path in (
        "simple/evil-lib/",
        f"packages/evil-lib/{filename}",
        "pypi/evil-lib/json",
        "simple/worse/",
    ):
        refused = ask(started.url + path)
        assert refused.status == 403
        assert "deny=" in refused.text
    options = ("download", "-vv", "--retries", "0", "--index-url", started.simple)
    assert "deny=evil-*" in clients.pip(*options, "evil-lib", status=None)
    assert scripted.requests == []


def test_only_wheels(proxied: Proxied, scripted: ScriptedIndex, clients: Clients) -> None:
    """What has none is withheld, as installing it would run code of its authors'."""
    publish(scripted, "foo", "1.0")
    for name in ("foo", "bar"):
        scripted.offer(name, *sdist(name, "2.0"))
    started = proxied("only=wheels")
    assert clients.pip_install(started.simple, "foo").version("foo") == "1.0"
    refused = ask(f"{started.simple}bar/")
    assert (refused.status, "only=wheels" in refused.text) == (403, True)
    assert ask(f"{started.url}packages/foo/foo-2.0.tar.gz").status == 403


def test_files_of_unknown_age_are_young(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """Unless it is said that they are old; and some projects may be as young as they like."""
    for name in ("foo", "bar"):
        publish(scripted, name, "1.0", upload_time=None)
    publish(scripted, "foo", "0.9")
    started = proxied("min-age=3d", "min-age-except=bar")
    assert [name.split("-")[1] for name in listed(started, "foo")] == ["0.9"]
    assert [name.split("-")[1] for name in listed(started, "bar")] == ["1.0"]
    lenient = proxied("min-age=3d", "unknown-age=old")
    assert [name.split("-")[1] for name in listed(lenient, "foo")] == ["0.9", "1.0"]


def test_strangers_of_a_private_index_get_nothing(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients, users_file: Path, user: User
) -> None:
    """Of what is upstream either; who signs in gets it."""
    filename = publish(scripted, "foo", "1.0")
    started = proxied(arguments=("--access", "private", "--auth", f"htpasswd:{users_file}"))
    for path in ("simple/foo/", f"packages/foo/{filename}", f"packages/foo/{filename}.metadata"):
        refused = ask(started.url + path)
        assert (refused.status, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert scripted.requests == []
    simple = started.simple.replace("http://", f"http://{user[0]}:{user[1].replace(' ', '%20')}@")
    assert clients.pip_install(simple, "foo").version("foo") == "1.0"
    assert clients.uv_install(simple, "foo").version("foo") == "1.0"


def test_a_private_project_may_need_public_ones(
    proxied: Proxied, scripted: ScriptedIndex, clients: Clients, users_file: Path, user: User, tmp_path: Path
) -> None:
    """One address serves both; an sdist is built with what its build needs from there."""
    publish(scripted, "public", "1.0")
    started = proxied(arguments=("--auth", f"htpasswd:{users_file}", "--reserve", "acme-*"))
    clients.twine_upload(started.url, user, make_sdist(tmp_path, "acme-app", "1.0", requires=["public>=1"]))
    for install in (clients.pip_install, clients.uv_install):
        installed = install(started.simple, "acme-app")
        assert (installed.version("acme_app"), installed.version("public")) == ("1.0", "1.0")

"""The configuration is read again while the daemon serves: all of it, or nothing, and no request fails."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import bcrypt
from harness.certificates import make_certificates
from harness.daemon import Daemon, daemon_environment
from harness.http import ask
from harness.processes import free_port, script, wait_until
from harness.upstream import FakeIndex

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()
CI = basic("ci", "secret")


def reload(daemon: Daemon) -> tuple[int, str]:
    """Call ``pypid reload``; give its status and everything that it said."""
    done = subprocess.run(
        [script("pypid"), "--root", str(daemon.root), "reload"],
        capture_output=True,
        text=True,
        env=daemon_environment(),
        timeout=180,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def configured(
    daemon: Callable[..., Daemon], tmp_path: Path, text: str, *options: str
) -> tuple[Daemon, Path]:
    """Start a daemon with a file and a user ``ci``; give the daemon and the path of the file."""
    root = tmp_path / "pypi"
    root.mkdir()
    (root / "htpasswd").write_text(f"ci:{HASH}\n")
    file = root / "pypid.toml"
    file.write_text(text)
    return daemon(*options, root=root), file


def publish(started: Daemon, version: str, name: str = "acme-lib", padding: int = 0) -> int:
    filename, content = wheel(name, version, payload=bytes(padding))
    headers, body = upload_form(filename, content, name, version)
    return ask(f"{started.url}legacy/", "POST", headers=headers | CI, body=body).status


def test_each_thing_changes_and_no_request_fails(
    daemon: Callable[..., Daemon], tmp_path: Path, upstream: FakeIndex
) -> None:
    """Readers and uploaders go on all the time; a bad file changes nothing, and says so."""
    started, file = configured(daemon, tmp_path, 'upstream = "none"\n')
    upstream.add(
        "foo",
        lambda where, name, version: _written(where / wheel(name, version)[0], wheel(name, version)[1]),
        "1.0",
    )
    assert publish(started, "0.1") == 200
    failures: list[str] = []
    answered: list[int] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            status = ask(f"{started.simple}acme-lib/", headers=CI).status
            answered.append(status)
            if status != 200:
                failures.append(f"a page: {status}")

    def upload(number: int) -> None:
        for count in range(1000):
            if over.is_set():
                return
            status = publish(started, f"{number}.{count}", padding=300_000)
            answered.append(status)
            if status != 200:
                failures.append(f"an upload: {status}")

    clients = [threading.Thread(target=read) for _ in range(2)]
    clients += [threading.Thread(target=upload, args=(number,)) for number in (1, 2)]
    for client in clients:
        client.start()
    try:
        before = len(answered)
        foo = f"{started.simple}foo/"
        assert ask(foo, headers=CI).status == 404
        file.write_text(
            f'upstream = "proxy:{upstream.simple}:allow-private"\nmax-upload = "1M"\nrealm = "Acme"\n'
        )
        status, said = reload(started)
        assert (status, "changed: realm, upstream, max-upload" in said) == (0, True), said
        assert ask(foo, headers=CI).status == 200  # upstreams
        assert publish(started, "99.0", padding=2_000_000) == 413  # limits
        file.write_text(file.read_text() + 'access = "private"\nreserve = "foo"\n')
        status, said = reload(started)
        assert (status, "access" in said, "reserve" in said) == (0, True, True), said
        assert ask(foo, headers=CI).status == 404  # reserved names
        stranger = ask(f"{started.simple}acme-lib/")
        assert (stranger.status, 'realm="Acme"' in stranger.headers["WWW-Authenticate"]) == (
            401,
            True,
        )  # rights
        (started.root / "htpasswd").write_text(f"ci:{HASH}\nbob:{HASH}\n")
        assert reload(started)[0] == 0
        assert ask(started.simple, headers=basic("bob", "secret")).status == 200  # users
        good = file.read_text()
        for bad, expected in (
            (f'{good}acess = "open"\n', f"{file}:6: acess: there is no such key; did you mean access?"),
            (f"{good}access = \n", f"{file}:6: "),
            (f'{good}[[auth]]\ntype = "htpasswd"\nfile = "/nonexistent"\n', "no password file /nonexistent"),
        ):
            file.write_text(bad)
            status, said = reload(started)
            assert (status, expected in said, "nothing was changed" in said) == (1, True, True), said
            assert expected in started.log_text()
            assert ask(f"{started.simple}acme-lib/").status == 401
            assert ask(started.simple, headers=CI).status == 200
        file.write_text(f'{good}storage = "memory:"\n')
        status, said = reload(started)
        assert (status, "storage: a change needs a restart" in said) == (0, True), said
        wait_until(lambda: len(answered) > before + 20, "more answers")
    finally:
        over.set()
        for client in clients:
            client.join()
    assert failures == []
    assert len(answered) > 20


def test_sighup_reloads_and_what_is_under_way_ends_as_it_began(
    daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    started, file = configured(daemon, tmp_path, 'upstream = "none"\n')
    assert publish(started, "1.0") == 200
    file.write_text('upstream = "none"\naccess = "private"\n')
    os.kill(started.pid, signal.SIGHUP)
    wait_until(lambda: "reload: changed: access" in started.log_text(), "the reload")
    assert ask(f"{started.simple}acme-lib/").status == 401
    file.unlink()
    os.kill(started.pid, signal.SIGHUP)
    wait_until(lambda: "there is no such file" in started.log_text(), "the refusal")
    assert ask(f"{started.simple}acme-lib/").status == 401


def test_certificates_are_read_again(daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    """New connections have the new one; a broken file changes nothing."""
    make_certificates(tmp_path)
    port = free_port()
    endpoint = (
        f"ssl:{port}:interface=127.0.0.1:privateKey={tmp_path}/server.key:certKey={tmp_path}/server.pem"
    )
    started, _ = configured(daemon, tmp_path, 'upstream = "none"\n', "--listen", endpoint)

    def shown() -> bytes:
        pem = ssl.get_server_certificate(("127.0.0.1", port))
        return ssl.PEM_cert_to_DER_cert(pem)

    first = shown()
    make_certificates(tmp_path)
    status, said = reload(started)
    assert (status, "certificates" in said) == (0, True), said
    second = shown()
    assert second != first
    (tmp_path / "server.pem").write_text("half a cert")
    status, said = reload(started)
    assert (status, "nothing was changed" in said) == (1, True), said
    assert shown() == second


def test_nobody_is_there_to_reload(tmp_path: Path) -> None:
    status, said = reload(Daemon(tmp_path))
    assert (status, f"no daemon runs on {tmp_path}" in said) == (1, True), said


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path

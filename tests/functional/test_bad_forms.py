"""Malicious upload forms: each is refused, without other effects."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from harness.daemon import Daemon
from harness.forgery import Part, forge, parts
from harness.http import Answer, ask
from harness.invariants import CI, assert_refused, healthy

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

FILENAME, CONTENT = wheel("form", "1.0")
HEADERS, BODY = upload_form(FILENAME, CONTENT, "form", "1.0")
BOUNDARY = HEADERS["Content-Type"].partition("boundary=")[2]
FORM = "multipart/form-data"


def send(daemon: Daemon, body: bytes, content_type: str = HEADERS["Content-Type"]) -> Answer:
    """Send a form, by somebody who may."""
    headers = {"Content-Type": content_type} | CI
    return ask(f"{daemon.url}legacy/", "POST", headers=headers, body=body)


def part(disposition: str, *headers: str, value: bytes = b"x") -> bytes:
    """Write a part of a form."""
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + value + b"\r\n"


def with_part(disposition: str, *headers: str, value: bytes = b"x") -> bytes:
    """Write a good form, with a further part at its beginning."""
    return part(disposition, *headers, value=value) + BODY


def test_the_form_is_good(attacked: Daemon) -> None:
    """What is spoilt in these tests would be published otherwise."""
    answer = ask(f"{attacked.url}legacy/?dry-run=1", "POST", headers=HEADERS | CI, body=BODY)
    assert (answer.status, answer.text) == (200, f"would publish {FILENAME}\n")
    body = with_part('name="comment"')
    assert ask(f"{attacked.url}legacy/?dry-run=1", "POST", headers=HEADERS | CI, body=body).status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(FORM, id="B127-no-boundary"),
        pytest.param(f"{FORM}; boundary=", id="B129-empty"),
        pytest.param(f'{FORM}; boundary=""', id="B129-quoted-empty"),
        pytest.param(f"{FORM}; boundary={'b' * 71}", id="B129-71"),
        pytest.param(f"{FORM}; boundary={'b' * 5000}", id="B129-5000"),
        pytest.param(f'{FORM}; boundary="{BOUNDARY}', id="B129-quotes"),
        pytest.param(f"{FORM}; boundary=" + "größe".encode().decode("latin-1"), id="B129-not-ascii"),
        pytest.param(f"{FORM}; boundary={BOUNDARY}; boundary=b", id="B129-two"),
        pytest.param(f"{FORM}; boundary=other", id="B128-boundary-missing"),
        pytest.param(f"{FORM}; boundary={BOUNDARY[:-1]}", id="B128-shorter"),
    ],
)
def test_boundaries(attacked: Daemon, content_type: str) -> None:
    """B127, B128, B129: Without its boundary nothing is known of a form."""
    assert_refused(send(attacked, BODY, content_type), 400, "form")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BODY[: BODY.rindex(b"--" + BOUNDARY.encode())], id="B130-no-terminator"),
        pytest.param(BODY[:-4], id="B130-terminator-cut"),
        pytest.param(BODY[: BODY.index(CONTENT) + len(CONTENT) // 2], id="B131-truncated-file"),
        pytest.param(BODY[: BODY.index(CONTENT)], id="B131-no-file"),
        pytest.param(BODY[: BODY.index(b'name="content"') + 3], id="B131-truncated-header"),
        pytest.param(b"", id="B131-nothing"),
        pytest.param(BODY + b"x" * 5000, id="B130-goes-on"),
        pytest.param(part('name="a"') * 1025 + BODY, id="B134-parts-1025"),
        pytest.param(with_part('name="' + "\\" * 900), id="B137-backslashes"),
        pytest.param(with_part('name="' + "\\" * 50_000), id="B137-backslashes-50k"),
        pytest.param(with_part(";" * 50_000), id="B137-semicolons"),
        pytest.param(with_part(";" * 900), id="B137-semicolons-900"),
        pytest.param(with_part("a=" * 450), id="B137-nested"),
        pytest.param(with_part('name="a"', "Content-Transfer-Encoding: base64"), id="B138-cte-base64"),
        pytest.param(with_part('name="a"', "Content-Transfer-Encoding: quoted-printable"), id="B138-qp"),
        pytest.param(with_part('name="a"', "Content-Transfer-Encoding: 8bit-odd"), id="B138-odd"),
        pytest.param(with_part("name*=utf-8''%ff"), id="B139-name-star"),
        pytest.param(with_part("name*0=a; name*1=b"), id="B139-continued"),
        pytest.param(
            BODY.replace(b'filename="', b"filename*=utf-8''a-1.tar.gz; filename=\""), id="B139-filename"
        ),
        pytest.param(with_part('name="content"; filename="a-1.tar.gz"'), id="two-files"),
        pytest.param(with_part('name="a"', value=b"\xff\xfe"), id="T22-not-utf8"),
        pytest.param(with_part('name="a"', "X: y", "X: y"), id="same-header-twice"),
        pytest.param(with_part('name="a"', *[f"X-{n}: y" for n in range(20)]), id="headers-20"),
        pytest.param(with_part('name="a"', "X: " + "y" * 5000), id="header-5000"),
        pytest.param(with_part("nothing=1"), id="no-name"),
        pytest.param(BODY.replace(b"\r\n", b"\n"), id="bare-lf"),
    ],
)
def test_forms(attacked: Daemon, body: bytes) -> None:
    """B130 to B139: A form that is not as RFC 7578 has it is none, wherever it goes wrong."""
    answer = send(attacked, body)
    assert_refused(answer, 400, "")
    assert ask(f"{attacked.simple}form/").status == 404


def test_b134_parts_1e6(attacked: Daemon) -> None:
    """Long before its end such a form is refused, and who goes on to send is cut off."""
    body = part('name="a"', value=b"") * 1_000_000
    lines = {**HEADERS, **CI, "Content-Length": str(len(body)), "Host": "x"}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", attacked.port), 10) as connection:
        connection.sendall(f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode() + body[:1_000_000])
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        with pytest.raises(ConnectionError):
            connection.sendall(body[1_000_000:])


def test_large_fields(attacked: Daemon) -> None:
    """Text is bounded, field by field and together."""
    assert_refused(send(attacked, with_part('name="a"', value=b"x" * 1_000_001)), 413, "'a'")
    many = b"".join(part(f'name="a{n}"', value=b"x" * 900_000) for n in range(5))
    assert_refused(send(attacked, many + BODY), 413, "together")


def test_b155_urlencoded_1e5(attacked: Daemon) -> None:
    """A form of another kind is not even read."""
    pairs = "&".join(f"a{number}=b" for number in range(100_000))
    assert_refused(send(attacked, pairs.encode(), "application/x-www-form-urlencoded"), 415, "multipart")


def test_b157_clients_that_reset(attacked: Daemon) -> None:
    """Twenty at a time, each at another place."""

    def abort(percent: int) -> None:
        with socket.create_connection(("127.0.0.1", attacked.port), 10) as connection:
            lines = {**HEADERS, **CI, "Content-Length": str(len(BODY)), "Host": "x"}
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            data = f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode() + BODY[: len(BODY) * percent // 100]
            connection.sendall(data)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    threads = [threading.Thread(target=abort, args=(percent,)) for percent in range(0, 100, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    healthy(attacked)
    assert ask(f"{attacked.simple}form/").status == 404


@pytest.mark.parametrize(
    "end", [b"", b"\r", b"\n", b"\r\n", b"--", b"\r\n--", b"\r\n--" + BOUNDARY.encode()[:-1]], ids=repr
)
def test_b154_all_bytes(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str], end: bytes
) -> None:
    """B154: Whatever bytes a file has, and whatever it ends in, these are what is downloaded."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    pairs = bytes(range(256)) + b"".join(bytes([one, other]) for one in range(256) for other in range(256))
    members = [*parts(), Part("evil/data.bin", pairs + b"\r\n" + end + b"\r\n", method=0)]
    content = forge(members, comment=end)
    assert content.endswith(end)
    headers, body = upload_form("evil-1.0-py3-none-any.whl", content, "evil", "1.0")
    answer = ask(f"{index.url}legacy/", "POST", headers=headers | basic(*user), body=body)
    assert answer.status == 200, answer.text
    found = ask(f"{index.url}packages/evil/evil-1.0-py3-none-any.whl").body
    assert sha256(found).digest() == sha256(content).digest()

"""Signatures and attestations from stock clients, to stock clients, and over the life of a tree."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.conformance import JSON
from harness.daemon import Daemon
from harness.http import ask

from pypid.testing.builds import SIGNATURE, attestation

Start = Callable[..., Daemon]
User = tuple[str, str]
SIGNERS = "verify:https://github.com/acme/*"


@pytest.fixture
def index(daemon: Start, users_file: Path) -> Daemon:
    """Return a daemon that takes uploads, and asks nobody else."""
    return daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")


def attest(file: Path, document: dict[str, Any] | None = None) -> dict[str, Any]:
    """Put an attestation beside a file, where clients look for it."""
    document = document or attestation(file.name, file.read_bytes())
    beside(file).write_text(json.dumps(document))
    return document


def beside(file: Path) -> Path:
    """Return the path of a file's attestation."""
    return file.with_name(f"{file.name}.publish.attestation")


def sign(file: Path) -> Path:
    """Put a signature beside a file."""
    signature = file.with_name(f"{file.name}.asc")
    signature.write_text(SIGNATURE)
    return signature


def attestations(index: Daemon, filename: str) -> list[dict[str, Any]]:
    """Return the attestations that are served for a file of the sample."""
    answer = ask(f"{index.url}packages/sample/{filename}.provenance")
    assert answer.status == 200, answer
    [bundle] = json.loads(answer.body)["attestation_bundles"]
    assert bundle["publisher"]["kind"] == "pypid"
    found: list[dict[str, Any]] = bundle["attestations"]
    return found


def is_signed(index: Daemon, filename: str) -> bool:
    """Return the entry of a file of the sample, which must be on the page."""
    page = json.loads(ask(f"{index.simple}sample/", headers={"Accept": JSON}).body)
    [said] = [file["gpg-sig"] for file in page["files"] if file["filename"] == filename]
    answer = ask(f"{index.url}packages/sample/{filename}.asc")
    assert (answer.status, answer.text) == (200, SIGNATURE) if said else answer.status == 404
    return bool(said)


def test_c136_c137_twine(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """A signature and an attestation beside each file go with it, and installers install it."""
    files = (make_wheel(tmp_path, "sample", "1.0"), make_sdist(tmp_path, "sample", "1.0"))
    documents = [attest(file) for file in files]
    others = [sign(files[0]), *map(beside, files)]
    clients.twine_upload(index.url, user, *files, *others, options=("--attestations",))
    assert [is_signed(index, file.name) for file in files] == [True, False]
    assert [attestations(index, file.name) for file in files] == [[document] for document in documents]
    for install in (clients.pip_install, clients.uv_install):
        assert install(index.simple, "sample").version("sample") == "1.0"


def test_c123_c136_uv(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """``uv publish`` sends the attestations that stand beside, after the file."""
    wheel = make_wheel(tmp_path, "sample", "1.0")
    document = attest(wheel)
    clients.uv_publish(f"{index.url}legacy/", user, wheel, beside(wheel))
    assert attestations(index, wheel.name) == [document]
    assert clients.uv_install(index.simple, "sample").version("sample") == "1.0"


def test_attestation_of_another_file(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """Who sends it reads what is wrong, and nothing is published."""
    wheel = make_wheel(tmp_path, "sample", "1.0")
    attest(wheel, attestation(wheel.name, b"other"))
    said = clients.uv_publish(f"{index.url}legacy/", user, wheel, beside(wheel), status=None)
    assert "attestations: number 1 is about a file of another sha256 digest" in " ".join(said.split())
    options = ("--attestations", "--verbose")
    said = clients.twine_upload(index.url, user, wheel, beside(wheel), options=options, status=None)
    assert "400" in said
    assert "attestations: number 1" in " ".join(said.split())
    assert ask(f"{index.simple}sample/").status == 404


def test_they_last(daemon: Start, index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """They outlive the daemon, its catalog, and the machine of which there is a copy of the tree."""
    wheel = make_wheel(tmp_path, "sample", "1.0")
    document = attest(wheel)
    files = (wheel, sign(wheel), beside(wheel))
    clients.twine_upload(index.url, user, *files, options=("--attestations",))
    index.kill()
    shutil.rmtree(index.root / ".pypid")
    index.start()
    restored = tmp_path / "restored"
    shutil.copytree(index.root / "simple", restored / "simple", copy_function=shutil.copyfile)
    for one in (index, daemon("--upstream", "none", root=restored)):
        assert is_signed(one, wheel.name)
        assert attestations(one, wheel.name) == [document]


def test_put_beside_a_file_by_hand(index: Daemon, clients: Clients, user: User, tmp_path: Path) -> None:
    """What is copied into the tree shows on the next page, and so does that it is gone."""
    wheel = make_wheel(tmp_path, "sample", "1.0")
    clients.twine_upload(index.url, user, wheel)
    assert not is_signed(index, wheel.name)
    signature = Path(shutil.copy(sign(wheel), index.root / "simple" / "sample"))
    assert is_signed(index, wheel.name)
    signature.unlink()
    assert not is_signed(index, wheel.name)


def test_file_is_replaced(
    daemon: Start, clients: Clients, user: User, users_file: Path, tmp_path: Path
) -> None:
    """What vouched for the old file is never served for the new one, not after a restart either."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none", "--overwrite", "*.dev*")
    old = make_wheel(tmp_path, "sample", "1.dev0")
    attest(old)
    clients.twine_upload(index.url, user, old, sign(old), beside(old), options=("--attestations",))
    assert is_signed(index, old.name)
    for directory, with_attestations in (("bare", False), ("attested", True)):
        (tmp_path / directory).mkdir()
        new = make_wheel(tmp_path / directory, "sample", "1.dev0", payload=directory.encode())
        document = attest(new)
        others, options = ((beside(new),), ("--attestations",)) if with_attestations else ((), ())
        clients.twine_upload(index.url, user, new, *others, options=options)
        for restart in (False, True):
            if restart:
                index.kill()
                shutil.rmtree(index.root / ".pypid")
                index.start()
            assert ask(f"{index.url}packages/sample/{new.name}").body == new.read_bytes()
            assert not is_signed(index, new.name)
            if with_attestations:
                assert attestations(index, new.name) == [document]
            else:
                assert ask(f"{index.url}packages/sample/{new.name}.provenance").status == 404


def test_c136_only_what_verifies(
    daemon: Start, clients: Clients, user: User, users_file: Path, tmp_path: Path
) -> None:
    """Where signers are named, what none of them signed is refused, with a line that says so."""
    pytest.importorskip(
        "pypi_attestations", reason="needs the extra: pip install 'pypid-server[attestations]'"
    )
    from harness.sigstore import Sigstore

    sigstore, root = Sigstore(), tmp_path / "tree"
    root.mkdir()
    sigstore.write_trusted_root(root / "trusted_root.json")
    options = ("--auth", f"htpasswd:{users_file}", "--upstream", "none", "--attestations", SIGNERS)
    index = daemon(*options, root=root)
    wheel = make_wheel(tmp_path, "sample", "1.0")
    statement = b64decode(attest(wheel)["envelope"]["statement"])
    said = clients.uv_publish(f"{index.url}legacy/", user, wheel, beside(wheel), status=None)
    assert "attestations: number 1 does not verify" in " ".join(said.split())
    attest(wheel, sigstore.sign(statement, source="https://github.com/evil/anvil"))
    clients.uv_publish(f"{index.url}legacy/", user, wheel, beside(wheel), status=2)
    assert ask(f"{index.simple}sample/").status == 404
    document = attest(wheel, sigstore.sign(statement, source="https://github.com/acme/anvil"))
    clients.uv_publish(f"{index.url}legacy/", user, wheel, beside(wheel))
    assert attestations(index, wheel.name) == [document]
    assert "attestations are taken of https://github.com/acme/*" in index.log_text()

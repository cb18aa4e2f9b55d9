"""``pypid config``: what is wrong is named with its place and with what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypid.cli.main import main

PROXY = '[[upstream]]\ntype = "proxy"\nurl = "https://index.example.org/simple/"\n'
WRONG: list[tuple[str | bytes, int, str]] = [
    ('max_upload = "1M"\n', 1, "max_upload: there is no such key; did you mean max-upload?"),
    ('max-uplaod = "1M"\n', 1, "did you mean max-upload?"),
    ('upstreams = "none"\n', 1, "did you mean upstream?"),
    ('Root = "/srv"\n', 1, "did you mean root?"),
    ('\n# a comment\nacess = "open"\n', 3, "acess: there is no such key; did you mean access?"),
    ("zzz = 1\n", 1, "`pypid config sample` has all"),
    ('config = "x"\n', 1, "config: there is no such key"),
    ('realm = "a"\nrealm = "b"\n', 2, "realm is there twice, first in line 1: leave one out"),
    ("[access]\n[access]\n", 2, "access is there twice, first in line 1"),
    ("keep-alive = often\n", 1, 'a text stands in quotation marks: keep-alive = "often"'),
    ("keep-alive = True\n", 1, "write keep-alive = true"),
    ("realm\n", 1, "'realm' is no KEY = \"VALUE\""),
    ('realm = "a\n', 1, "no TOML: "),
    ('reserve = ["a"\n', 2, "no TOML: unclosed array"),
    ("realm = \n", 1, "no TOML: "),
    ("realm = 5\n", 1, 'a number cannot stand here: realm = "pypi"'),
    ("realm = true\n", 1, "true or false cannot stand here"),
    ('realm = ["a"]\n', 1, 'one value, and not a list: realm = "pypi"'),
    ("realm = 2026-01-01\n", 1, "a date cannot stand here"),
    ("keep-alive = 1.5\n", 1, "a number with a point cannot stand here: keep-alive = 120"),
    ("[realm]\na = 1\n", 1, "a table cannot stand here"),
    ('reserve = [["a"]]\n', 1, "a list within a list cannot stand here"),
    ("upstream = []\n", 1, "an empty list sets nothing"),
    ('max-upload = "many"\n', 1, "write it like 500M or 1GiB"),
    ('keep-alive = "2m"\n', 1, "between 1 and 86400, such as 120"),
    ('listen = ":80"\n', 1, 'write listen = "127.0.0.1:80" for this machine alone, or listen = "0.0.0.0:80"'),
    ('listen = "tcp:nope"\n', 1, "is not a Twisted endpoint"),
    ('port = "127.0.0.1"\n', 1, "is no port; for an address, write listen = "),
    ('public-url = "packages.example.org"\n', 1, "write https://packages.example.org"),
    ('reserve = [\n "acme-*",\n "a,b",\n]\n', 3, 'repeat the option, reserve = ["a", "b"]'),
    ('upstream = "index.example.org/simple/"\n', 1, "https://index.example.org/simple/"),
    ('upstream = "prxy:https://index.example.org/"\n', 1, 'did you mean "proxy"?'),
    ('uploads = "strict"\nold-archives = "egg"\n', 1, "leave out old-archives"),
    ('uploads = "lax"\n', 1, "neither strict nor permissive"),
    ('old-archives = "whl"\n', 1, "of zip"),
    ('overwrite = "[0-9]"\n', 1, "*.dev*"),
    ('trust-proxy = "0.0.0.0/0"\n', 1, "has everybody in it"),
    ('attestations = "verify"\n', 1, "verify:https://github.com/acme/*"),
    ('access = "anyone"\nlisten = "0.0.0.0:80"\n', 1, "say anyone:anyone"),
    ('[[upstream]]\nurl = "https://index.example.org/"\n', 1, "a table needs a type"),
    ('[[upstream]]\ntype = "proxyy"\n', 2, 'there is no type \'proxyy\'; did you mean "proxy"?'),
    ('[[upstream]]\ntype = "proxy"\n', 1, 'type "proxy" needs url, as in url = "URL"'),
    (f'{PROXY}min-age = "3 days"\n', 4, "write it like 30s, 10m, 12h, 3d or 1w"),
    (f'{PROXY}\nmin-aeg = "3d"\n', 5, 'did you mean "min-age"?'),
    (f"{PROXY}offline = 'yes'\n", 4, "offline takes no value"),
    (f'{PROXY}credentials = {{env = "X"}}\n', 4, 'in a file: credentials = {file = "/etc/pypid/'),
    (f'{PROXY}credentials = {{file = "upstream"}}\n', 4, "LoadCredential=upstream:/etc/pypid/upstream"),
    ('[[auth]]\ntype = "htpasswd"\nfile = "/x"\nlegacy = "no"\n', 4, "one may only say legacy=yes"),
    ('realm = "a\0b"\n', 1, "there is a NUL character"),
    ('# ok\nrealm = "\xe9"\n'.encode("latin-1"), 2, "it is not UTF-8: save it in that encoding"),
    ('realm = "a"\n'.encode("utf-16"), 1, "it seems to be UTF-16"),
    (b"#" * 10_000_000, 0, "10,000,000 bytes are too much: a configuration has at most 1,048,576"),
    ("realm = " + "[" * 5000 + "]" * 5000 + "\n", 0, "brackets within brackets"),
]  # fmt: skip


def invoke(*words: str | Path, **variables: str | None) -> Result:
    nothing = {"PYPID_ROOT": None, "PYPID_STORAGE": None, "CREDENTIALS_DIRECTORY": None}
    return CliRunner().invoke(main, [str(word) for word in words], env={**nothing, **variables})


@pytest.mark.parametrize(
    ("text", "line", "expected"), WRONG, ids=[str(number) for number in range(len(WRONG))]
)
def test_a_wrong_file(tmp_path: Path, text: str | bytes, line: int, expected: str) -> None:
    """One line has the file, the line and what would be right; the status is 2."""
    file = tmp_path / "pypid.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = invoke("--root", tmp_path, "--config", file, "config", "check")
    place = f"pypid: {file}:{line}: " if line else f"pypid: {file}: "
    said = [one for one in result.stderr.splitlines() if expected in one and one.startswith(place)]
    print(result.stderr.replace(f"{tmp_path}/", ""), end="")
    assert (result.exit_code, len(said)) == (2, 1), result.output
    assert result.stdout == ""


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, expected in ((tmp_path, "name the file in it"), (tmp_path / "x", "there is no such file")):
        result = invoke("--config", path, "config", "check")
        assert (result.exit_code, expected in result.stderr) == (2, True), result.output


def test_a_secret_that_everybody_can_read(tmp_path: Path) -> None:
    secret, file = tmp_path / "secret", tmp_path / "pypid.toml"
    secret.write_text("user:password\n")
    file.write_text(f'{PROXY}credentials = {{file = "{secret}"}}\n')
    secret.chmod(0o644)
    result = invoke("--root", tmp_path, "config", "check")
    assert (result.exit_code, f"{file}:4: " in result.stderr) == (2, True), result.output
    assert f"chmod 640 {secret}" in result.stderr
    secret.chmod(0o640)
    assert invoke("--root", tmp_path, "config", "check").exit_code == 0
    file.write_text(f'{PROXY}credentials = {{file = "$CREDENTIALS_DIRECTORY/secret"}}\n')
    assert invoke("--root", tmp_path, "config", "check", CREDENTIALS_DIRECTORY=str(tmp_path)).exit_code == 0


def test_each_value_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "pypid.toml"
    file.write_text('realm = "file"\n[[auth]]\ntype = "cred"\nchecker = "memory:alice:hidden"\n')
    words = ("--root", tmp_path, "config", "show")
    result = invoke(*words, "--json", "--uploads", "strict", PYPID_MAX_UPLOAD="2GiB")
    assert "hidden" not in result.output
    found = {row["option"]: (row["value"], row["source"], row["place"]) for row in json.loads(result.stdout)}
    assert found["uploads"] == ("strict", "flag", "--uploads")
    assert found["max-upload"] == ("2GiB", "variable", "PYPID_MAX_UPLOAD")
    assert found["realm"] == ("file", "file", f"{file}:1")
    assert found["auth"] == ("cred:memory:***", "file", f"{file}:2")
    assert found["keep-alive"] == ("120", "default", "default")
    assert "hidden" not in invoke(*words).output
    assert invoke("--root", tmp_path, "config", "check").stdout == f"the configuration is right: {file}\n"


def test_other_verbs_use_it(tmp_path: Path) -> None:
    """The file names the root and the users' file."""
    (tmp_path / "users").write_text("alice:$2y$05$abcdefghijklmnopqrstuuDsZyGtp7VXWFUu3dbHbdV8nUqXxGn2i\n")
    file = tmp_path / "other.toml"
    file.write_text('root = "tree"\nauth = "htpasswd:users"\n')
    (tmp_path / "tree").mkdir()
    assert invoke("--config", file, "user", "list").stdout == "alice\n"

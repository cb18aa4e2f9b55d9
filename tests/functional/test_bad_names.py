"""Malicious names, versions and file names: each is refused in every place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from harness.daemon import Daemon
from harness.http import Answer, ask
from harness.invariants import CONTENT, FILENAME, assert_refused, upload

from pypid.testing.builds import sdist, wheel
from pypid.testing.web import basic, upload_form

SDIST, BYTES = sdist("a", "1")
FILENAMES = {
    "B159-fn-dotdot": "../../a-1.tar.gz",
    "B159-fn-dotdot-alone": "..",
    "B159-fn-slash": "/a-1.tar.gz",
    "B159-fn-directory": "a/a-1.tar.gz",
    "B159-fn-backslash": "..\\a-1.tar.gz",
    "B159-fn-encoded": "..%2f..%2fa-1.tar.gz",
    "B159-fn-dot": ".a-1.tar.gz",
    "B159-fn-nothing": "",
    "B162-fn-newline": "a-1\n-py3-none-any.whl",
    "B162-fn-newline-end": "a-1.tar.gz\n",
    "B162-fn-return": "a-1.tar.gz\r",
    "B162-fn-encoded": "a-1%0A-py3-none-any.whl",
    "B162-fn-nul": "a-1.tar.gz\0",
    "B162-fn-escape": "a-1\x1b[31m.tar.gz",
    "B162-fn-space": "a-1.tar.gz ",
    "B165-fn-html": "a-1-py3-none-<img src=x onerror=1>.whl",
    "B165-fn-quote": "a-1-py3-none-'any'.whl",
    "B168-fn-tags": f"a-1-{'.'.join(['py3'] * 300)}-{'.'.join(['none'] * 300)}-{'.'.join(['any'] * 20)}.whl",
    "B168-fn-tags-short": f"a-1-{'.'.join(['p3'] * 14)}-{'.'.join(['no'] * 14)}-{'.'.join(['an'] * 14)}.whl",
    "B173-fn-kelvin": "\N{KELVIN SIGN}-1.tar.gz",
    "B173-fn-fullwidth": "\N{FULLWIDTH LATIN SMALL LETTER A}-1.tar.gz",
    "B173-fn-override": "a\N{RIGHT-TO-LEFT OVERRIDE}-1.tar.gz",
    "B173-fn-zero-width": "a\N{ZERO WIDTH SPACE}-1.tar.gz",
    "B173-fn-emoji": "a\N{PILE OF POO}-1.tar.gz",
    "B173-fn-nfc": "a\N{LATIN SMALL LETTER E WITH ACUTE}-1.tar.gz",
    "B173-fn-nfd": "ae\N{COMBINING ACUTE ACCENT}-1.tar.gz",
    "B180-name-101": "a" * 101 + "-1.tar.gz",
    "B180-name-1000": "a" * 1000 + "-1.tar.gz",
    "B185-ver-5000": f"a-{'1' * 5000}.tar.gz",
    "B186-ver-4300": f"a-{'1' * 4300}.tar.gz",
    "B187-ver-deep": f"a-{'1.' * 5000}1.tar.gz",
    "B188-ver-ws": "a-1.0\t.tar.gz",
    "B189-ver-arabic": "a-1.\N{ARABIC-INDIC DIGIT ONE}.tar.gz",
    "no-version": "a.tar.gz",
    "no-kind": "a-1",
    "metadata": "a-1.tar.gz.metadata",
    "record": ".a-1.tar.gz.json",
}
NAMES = {
    "B159-dotdot": "..",
    "B159-slash": "a/b",
    "B162-newline": "a\nb",
    "B162-newline-end": "a\n",
    "B162-nul": "a\0",
    "B165-html": "<img>",
    "B173-kelvin": "\N{KELVIN SIGN}",
    "B173-fullwidth": "\N{FULLWIDTH LATIN SMALL LETTER A}",
    "B173-override": "a\N{RIGHT-TO-LEFT OVERRIDE}",
    "B173-emoji": "\N{PILE OF POO}",
    "B173-dotless": "\N{LATIN SMALL LETTER DOTLESS I}",
    "B180-name-101": "a" * 101,
    "B180-name-1000": "a" * 1000,
    "B180-name-1e6": "a" * 1_000_000,
    "dash": "-",
    "nothing": "",
    "another": "b",
}
VERSIONS = {
    "B185-ver-5000": "1" * 5000,
    "B186-ver-4300": "1" * 4300,
    "B187-ver-deep": "1." * 5000 + "1",
    "B188-ver-newline": "1\n",
    "B188-ver-space": " 1",
    "B188-ver-tab": "1\t",
    "B189-ver-arabic": "1.\N{ARABIC-INDIC DIGIT ONE}",
    "B165-html": "<img>",
    "nothing": "",
    "another": "2",
    "no-version": "trunk",
}


@pytest.mark.parametrize("filename", FILENAMES.values(), ids=FILENAMES)
def test_file_names(attacked: Daemon, filename: str) -> None:
    """As the name of the file: the refusal names ``content``, or the form that cannot be read."""
    answer = upload(attacked, filename, BYTES, "a", "1")
    assert_refused(answer, 400, "")
    assert answer.text.startswith(("content: ", "the form "))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names(attacked: Daemon, name: str) -> None:
    """As the name of the project."""
    assert_refused(upload(attacked, SDIST, BYTES, name, "1"), 400, "name: ")


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_versions(attacked: Daemon, version: str) -> None:
    """As the version."""
    assert_refused(upload(attacked, SDIST, BYTES, "a", version), 400, "version: ")


@pytest.mark.parametrize("name", [*FILENAMES.values(), *NAMES.values()], ids=[*FILENAMES, *NAMES])
def test_urls(attacked: Daemon, name: str) -> None:
    """As a part of a URL: there is no such page or file, or no such URL, but never an error of ours."""
    quoted = quote(name[:5000], safe="")
    for path in (f"simple/{quoted}/", f"packages/acme-lib/{quoted}", f"packages/{quoted}/{FILENAME}"):
        answer = ask(f"{attacked.url}{path}")
        assert answer.status in (301, 303, 400, 404, 405) or name == "", (path, answer)
        assert CONTENT not in answer.body
        assert answer.headers.get("Location", "").isascii()


def test_b168_tags_take_no_time(attacked: Daemon) -> None:
    """Wheels of many tags are refused for that, before anybody multiplies them."""
    for name, said in (("tags", "header length"), ("tags-short", "too many compressed tags")):
        begun = time.monotonic()
        assert_refused(upload(attacked, FILENAMES[f"B168-fn-{name}"], b"", "a", "1"), 400, said)
        assert time.monotonic() - begun < 5


def post(daemon: Daemon, user: tuple[str, str], build: tuple[str, bytes], version: str) -> Answer:
    headers, body = upload_form(*build, "race", version)
    return ask(f"{daemon.url}legacy/", "POST", headers=headers | basic(*user), body=body)


def test_b192_ver_epoch(daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]) -> None:
    """B192: A version of an epoch that nobody will see is the last one, and is shown as it is."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    for version in ("999999999999!1", "2", "1!0"):
        assert post(index, user, wheel("race", version), version).status == 200
    headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
    page = json.loads(ask(f"{index.simple}race/", headers=headers).body)
    assert page["versions"] == ["2", "1!0", "999999999999!1"]
    for file in page["files"]:
        assert ask(f"{index.url}packages/race/{quote(file['filename'])}").status == 200


@pytest.fixture
def four(daemon: Callable[..., Daemon], users_file: Path, tmp_path: Path) -> list[Daemon]:
    """Yield four daemons on one root."""
    arguments = ("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    return [daemon(*arguments, root=tmp_path / "shared") for _ in range(4)]


def test_b193_dup_same(four: list[Daemon], user: tuple[str, str]) -> None:
    """B193: The same file, 32 times at once in four processes, and again: each is a 200, one is stored."""
    build = wheel("race", "1.0")
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: post(four[n % 4], user, build, "1.0"), range(32)))
    answers.append(post(four[0], user, build, "1.0"))
    assert [answer.status for answer in answers] == [200] * 33
    assert [answer.text.startswith("published ") for answer in answers].count(True) == 1
    stored = [path for path in (four[0].root / "simple" / "race").iterdir() if path.suffix == ".whl"]
    assert [path.read_bytes() for path in stored] == [build[1]]


def test_b194_t11_dup_diff(four: list[Daemon], user: tuple[str, str]) -> None:
    """B194: Other bytes of one name, 32 at once in four processes: one wins, the others are told so."""
    builds = [wheel("race", "1.0", payload=b"%d" % number) for number in range(32)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: post(four[n % 4], user, builds[n], "1.0"), range(32)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 31
    for number, answer in enumerate(answers):
        if answer.status == 200:
            winner = builds[number][1]
        else:
            assert "File already exists" in answer.text
            assert "File already exists" in answer.reason
    for index in four:
        found = ask(f"{index.url}packages/race/{builds[0][0]}")
        assert found.body == winner
        assert found.headers["ETag"] == f'"{sha256(winner).hexdigest()}"'


def test_overwriting_race(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str], tmp_path: Path
) -> None:
    """Where files may be replaced, all that is ever read is whole, and in the end all have the same."""
    arguments = ("--auth", f"htpasswd:{users_file}", "--upstream", "none", "--overwrite", "*.dev*")
    daemons = [daemon(*arguments, root=tmp_path / "shared") for _ in range(2)]
    builds = [wheel("race", "1.dev0", payload=bytes([n]) * 100_000 * (n + 1)) for n in range(8)]
    known = {f'"{sha256(content).hexdigest()}"': content for _, content in builds}
    assert post(daemons[0], user, builds[0], "1.dev0").status == 200
    url = f"packages/race/{builds[0][0]}"

    def read(number: int) -> None:
        answer = ask(f"{daemons[number % 2].url}{url}")
        assert answer.status == 200
        assert known[answer.headers["ETag"]] == answer.body

    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(read, number) for number in range(100)]
        writes = [pool.submit(post, daemons[n % 2], user, builds[n], "1.dev0") for n in range(8)]
        statuses = [write.result().status for write in writes]
        for one in reads:
            one.result()
    assert set(statuses) <= {200, 409}
    final = {ask(f"{index.url}{url}").headers["ETag"] for index in daemons}
    assert len(final) == 1
    assert post(daemons[1], user, builds[3], "1.dev0").status == 200
    assert [ask(f"{index.url}{url}").body for index in daemons] == [builds[3][1]] * 2
    kept = sorted(path.name for path in (daemons[0].root / "simple" / "race").iterdir())
    assert kept == [f".{builds[0][0]}.json", builds[0][0], f"{builds[0][0]}.metadata"]

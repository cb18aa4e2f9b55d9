"""Tests for :mod:`pypid.formats.attestations`."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from textwrap import wrap
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import InvalidUpload
from pypid.formats.attestations import MAX_SIZE, is_provenance, parse, provenance
from pypid.names import parse_filename
from pypid.testing.builds import attestation

WHEEL = "acme_anvil-1.0-py2.py3-none-any.whl"
CONTENT = b"wheel"
DIGEST = sha256(CONTENT).hexdigest()
PUBLISH, SLSA = "https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1"

Document = dict[str, Any]


def checked(*documents: Any, filename: str = WHEEL) -> list[Document]:
    """Have attestations checked, and give them as they are kept."""
    text = json.dumps(documents)
    return [dict(one.document) for one in parse(text, parse_filename(filename), DIGEST)]


def refusal(text: str) -> str:
    """Check attestations that must be refused quickly, and return the message."""
    started = thread_time()
    with pytest.raises(InvalidUpload) as caught:
        parse(text, parse_filename(WHEEL), DIGEST)
    assert thread_time() - started < 2
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith("attestations: ")
    return message


def stated(change: Callable[[Document], object]) -> Document:
    """Make an attestation with another statement."""
    document = attestation(WHEEL, CONTENT)
    statement = json.loads(b64decode(document["envelope"]["statement"]))
    change(statement)
    document["envelope"]["statement"] = b64encode(json.dumps(statement).encode()).decode()
    return document


def test_c136_attestations() -> None:
    """Attestations are kept as they came, one of each kind, with keys that nobody here knows."""
    one, other = attestation(WHEEL, CONTENT), attestation(WHEEL, CONTENT, SLSA)
    one["verification_material"]["roughtime"] = {"much": 1.5}
    assert checked(one, other) == [one, other]
    assert [
        each.predicate_type for each in parse(json.dumps([one, other]), parse_filename(WHEEL), DIGEST)
    ] == [
        PUBLISH,
        SLSA,
    ]


@pytest.mark.parametrize(
    ("filename", "subject"),
    [
        ("acme_anvil-1.0-py2.py3-none-any.whl", "Acme.Anvil-1.0.0-py3.py2-none-any.whl"),
        ("acme_anvil-1.0.tar.gz", "Acme-Anvil-1.0.0.tar.gz"),
        ("Acme-Anvil-1.0.zip", "acme_anvil-1.0.zip"),
    ],
)
def test_equivalent_names(filename: str, subject: str) -> None:
    """The subject's name may be spelled in another way (PEP 740, "Attestation verification")."""
    assert checked(attestation(subject, CONTENT), filename=filename)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "acme_anvil",
        "acme_anvil-1.0.tar.gz",
        "acme_anvil-1.0-py3-none-any.whl",
        "acme_anvil-1.0-1-py2.py3-none-any.whl",
        "acme_anvil-1.1-py2.py3-none-any.whl",
        "acme_hammer-1.0-py2.py3-none-any.whl",
        "../acme_anvil-1.0-py2.py3-none-any.whl",
        "acme_anvil-1.0-" + ".".join(f"py{number}" for number in range(1000)) + "-none-any.whl",
    ],
)
def test_other_names(subject: str) -> None:
    """A statement about another file is refused."""
    assert refusal(json.dumps([attestation(subject, CONTENT)])).endswith("is about a file of another name")


def test_base64_on_several_lines() -> None:
    """Old versions of pypi-attestations wrap their base64."""
    document = attestation(WHEEL, CONTENT)
    document["envelope"]["statement"] = "\n".join(wrap(document["envelope"]["statement"], 76)) + "\n"
    assert checked(document) == [document]


def broken(path: str, value: object) -> Document:
    """Make an attestation with one value replaced, or left out."""
    document: Any = attestation(WHEEL, CONTENT)
    *parents, name = path.split(".")
    inner = document
    for parent in parents:
        inner = inner[parent]
    if value is ...:
        del inner[name]
    else:
        inner[name] = value
    return document


NO_BASE64 = ["", "!", "A", "\N{SNOWMAN}", None, ...]
WRONG = {
    "version": [0, 2, "1", 1.0, True, None, ...],
    "verification_material": [[], None, ...],
    "verification_material.certificate": [*NO_BASE64, 1],
    "verification_material.transparency_entries": [[], {}, [1], [[]], "x", None, ...],
    "envelope": [[], "x", None, ...],
    "envelope.statement": [
        *NO_BASE64,
        "W10=",
        "bm8=",
        b64encode(b"\xff").decode(),
        b64encode(b"[" * 9999).decode(),
    ],
    "envelope.signature": NO_BASE64,
}


@pytest.mark.parametrize(("path", "value"), [(path, value) for path in WRONG for value in WRONG[path]])
def test_malformed(path: str, value: object) -> None:
    """Whatever PEP 740 demands is looked at, and a message tells which attestation lacks it."""
    right = attestation(WHEEL, CONTENT, SLSA)
    message = refusal(json.dumps([right, broken(path, value)]))
    assert message.startswith("attestations: number 2 ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"), "in-toto statement"),
        (lambda it: it.pop("_type"), "_type"),
        (lambda it: it.update(subject=[]), "more than one file, or none"),
        (lambda it: it.update(subject=it["subject"] * 2), "more than one file, or none"),
        (lambda it: it.update(subject={}), "subject"),
        (lambda it: it.update(subject=[1]), "name"),
        (lambda it: it["subject"][0].pop("name"), "name"),
        (lambda it: it["subject"][0].pop("digest"), "digest"),
        (lambda it: it["subject"][0].update(digest={"sha512": "ab"}), "sha256"),
        (lambda it: it["subject"][0].update(digest={"sha256": 1}), "sha256"),
        (lambda it: it["subject"][0].update(digest={"sha256": "ab" * 32}), "another sha256 digest"),
        (lambda it: it["subject"][0].update(digest={"sha256": DIGEST.upper()}), "another sha256 digest"),
        (lambda it: it.update(predicateType="https://example.org/other/v1"), "another predicateType"),
        (lambda it: it.pop("predicateType"), "predicateType"),
    ],
)
def test_wrong_statements(change: Callable[[Document], object], said: str) -> None:
    """The statement must be about this very file, and one of the kinds that PEP 740 knows."""
    assert said in refusal(json.dumps([stated(change)]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "[]",
        "{}",
        "null",
        '"x"',
        "[1]",
        "[null]",
        "[[]]",
        "[NaN]",
        "[{}] x",
        "[" * 50_000,
        '[{"a":' * 20_000,
        "[" + "9" * 10_000 + "]",
        " " * MAX_SIZE + "[]",
        json.dumps(attestation(WHEEL, CONTENT)),
    ],
    ids=lambda text: text[:20],
)
def test_no_array_of_attestations(text: str) -> None:
    """What is no JSON array of objects is refused."""
    refusal(text)


def test_too_long() -> None:
    """How long attestations may be does not depend on what they are made of."""
    text = json.dumps([attestation(WHEEL, CONTENT)])
    assert parse(text.ljust(MAX_SIZE), parse_filename(WHEEL), DIGEST)
    assert "longer than" in refusal(text.ljust(MAX_SIZE + 1))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none(number: str) -> None:
    """What is served must be JSON for everybody, not for Python alone."""
    text = json.dumps([attestation(WHEEL, CONTENT) | {"extra": 0}]).replace(
        '"extra": 0', f'"extra": {number}'
    )
    assert refusal(text) == "attestations: not a JSON array"


def test_one_of_each_kind() -> None:
    """As at PyPI, of each predicate type there is one attestation at most."""
    publish, slsa = attestation(WHEEL, CONTENT), attestation(WHEEL, CONTENT, SLSA)
    assert "number 2 states the same" in refusal(json.dumps([publish, publish]))
    assert "more than 2" in refusal(json.dumps([publish, slsa, publish]))


@pytest.mark.parametrize("uploader", ["alice", None])
def test_provenance(uploader: str | None) -> None:
    """The provenance object has one bundle, of who uploaded them, and claims nothing else."""
    documents = [attestation(WHEEL, CONTENT), attestation(WHEEL, CONTENT, SLSA)]
    data = provenance(parse(json.dumps(documents), parse_filename(WHEEL), DIGEST), uploader)
    assert json.loads(data) == {
        "version": 1,
        "attestation_bundles": [
            {
                "publisher": {"kind": "pypid", "claims": {}, "uploader": uploader},
                "attestations": documents,
            }
        ],
    }
    assert is_provenance(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"version":1}',
        b'{"version":1,"attestation_bundles":[]}',
        b'{"version":2,"attestation_bundles":[{}]}',
        b'{"version":true,"attestation_bundles":[{}]}',
        b"[" * 100_000,
    ],
)
def test_no_provenance(data: bytes) -> None:
    """What is no provenance object is told from one, also if it came with a copy of a tree."""
    assert not is_provenance(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(JSON, st.sampled_from(["verification_material", "envelope", "version"]))
def test_any_value_anywhere(value: object, path: str) -> None:
    """No JSON at all makes anything but a refusal."""
    refusal(json.dumps(value))
    refusal(json.dumps([broken(path, {"certificate": value, "statement": value, "signature": value})]))


@pytest.mark.slow
@given(JSON)
def test_what_is_kept_is_json(value: object) -> None:
    """Whatever else an attestation holds, what is served for it can be read again."""
    text = json.dumps([attestation(WHEEL, CONTENT) | {"extra": value}])
    try:
        kept = parse(text, parse_filename(WHEEL), DIGEST)
    except InvalidUpload:
        return
    served = json.loads(provenance(kept, None), parse_constant=pytest.fail)
    assert served["attestation_bundles"][0]["attestations"] == json.loads(text)

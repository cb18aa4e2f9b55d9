"""XML-RPC from untrusted clients."""

from __future__ import annotations

from typing import Any
from xmlrpc.client import Binary, DateTime, Fault, dumps, loads

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.xmlrpc import MAX_CALL, PARSE_ERROR, Call, dump_answer, dump_fault, parse_call

CALL = b"<?xml version='1.0'?><methodCall><methodName>m</methodName><params>%s</params></methodCall>"
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<methodCall><methodName>m</methodName><params><param><value>&c;</value></param></params></methodCall>"""
EXTERNAL = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<methodCall><methodName>m</methodName><params><param><value>&a;</value></param></params></methodCall>"""
ELEMENTS = (
    *("array", "base64", "bigdecimal", "boolean", "data", "dateTime.iso8601", "double", "fault", "int"),
    *("member", "methodName", "name", "nil", "params", "string", "struct", "value"),
)

texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)
values = st.recursive(
    texts | st.integers(-(2**31), 2**31 - 1) | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


def test_what_pip_sends_is_understood() -> None:
    query = {"name": ["acme"], "summary": ["acme"]}
    assert parse_call(dumps((query, "or"), "search").encode()) == Call("search", (query, "or"))


def test_a_call_may_have_no_parameters_at_all() -> None:
    assert parse_call(b"<methodCall><methodName>m</methodName></methodCall>") == Call("m", ())


@given(st.lists(values, max_size=3))
def test_any_call_of_the_standard_library_is_read(params: list[Any]) -> None:
    assert parse_call(dumps(tuple(params), "m", allow_none=True).encode()) == Call("m", tuple(params))


def test_encodings_are_those_that_xml_has() -> None:
    call = dumps(("zoë",), "m", encoding="iso-8859-1").encode("iso-8859-1")
    assert parse_call(call).params == ("zoë",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"<a/>",
        b"<methodCall>",
        b"<methodCall></methodCall>",
        b"<methodCall><methodName>m</methodName>",
        b"\xff\xfe\x00",
        b"<?xml version='1.0' encoding='no-such'?><methodCall><methodName>m</methodName></methodCall>",
        b"<?xml version='1.0' encoding='idna'?><methodCall><methodName>m</methodName></methodCall>",
        dumps((1,), methodresponse=True).encode(),
        dumps(Fault(1, "mine")).encode(),
        b"<methodCall><methodName>m</methodName><fault/></methodCall>",
        CALL % b"<param><value><int>x</int></value></param>",
        CALL % b"<param><value><int>%s</int></value></param>" % (b"9" * 5000),
        CALL % b"<param><value><boolean>2</boolean></value></param>",
        CALL % b"<param><value><base64>\xc3\xa4</base64></value></param>",
        CALL % b"<param><value><dateTime.iso8601>yesterday</dateTime.iso8601></value></param>",
        CALL % b"<param><value><bigdecimal>x</bigdecimal></value></param>",
        CALL % b"<param><value><frob/></value></param>",
        CALL % b"<param><value><struct><member><name>a</name></member></struct></value></param>",
        CALL % b"<param><value><struct><array/><array/></struct></value></param>",
        CALL % b"<param><value>&nbsp;</value></param>",
        b"\0" * 100,
    ],
)
def test_what_is_no_call_is_a_fault(data: bytes) -> None:
    with pytest.raises(Fault) as caught:
        parse_call(data)
    assert caught.value.faultCode == PARSE_ERROR
    assert "mine" not in caught.value.faultString


@pytest.mark.parametrize(
    "data", [BOMB, EXTERNAL, b"<!DOCTYPE a><methodCall><methodName>m</methodName></methodCall>"]
)
def test_t44_document_types_and_entities_are_refused(data: bytes) -> None:
    with pytest.raises(Fault):
        parse_call(data)


def test_t44_a_call_has_a_length_to_keep_to() -> None:
    call = CALL % b"" + b" " * MAX_CALL
    assert parse_call(call[:MAX_CALL]) == Call("m", ())
    with pytest.raises(Fault, match="longer than"):
        parse_call(call[: MAX_CALL + 1])


def test_t44_nesting_as_deep_as_it_gets_does_no_harm() -> None:
    level, end = b"<array><data><value>", b"</value></data></array>"
    depth = (MAX_CALL - 200) // len(level + end)
    (value,) = parse_call(
        CALL % (b"<param><value>" + level * depth + end * depth + b"</value></param>")
    ).params
    levels = 0
    while value:
        (value,) = value
        levels += 1
    assert levels == depth


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: CALL % text.encode("utf-8", "replace"))
)
def test_anything_is_a_call_or_a_fault(data: bytes) -> None:
    try:
        assert isinstance(parse_call(data), Call)
    except Fault as fault:
        assert fault.faultCode == PARSE_ERROR


@given(
    st.lists(st.sampled_from([*ELEMENTS, *(f"/{tag}" for tag in ELEMENTS)]).map("<{}>".format) | st.just("0"))
)
def test_elements_out_of_order_are_a_call_or_a_fault(pieces: list[str]) -> None:
    try:
        assert isinstance(parse_call(f"<methodCall>{''.join(pieces)}</methodCall>".encode()), Call)
    except Fault as fault:
        assert fault.faultCode == PARSE_ERROR


@given(values)
def test_any_answer_is_read_back_by_the_standard_library(value: Any) -> None:
    assert loads(dump_answer(value))[0] == (value,)


def test_what_xml_rpc_cannot_carry_is_made_fit() -> None:
    answer = {"size": 3 * 2**31, "least": -(2**31), "text": "a\0b\ud800", "rows": ((1, None),)}
    assert loads(dump_answer(answer))[0] == (
        {"size": 6442450944.0, "least": -(2**31), "text": "a\ufffdb\ufffd", "rows": [[1, None]]},
    )


def test_bytes_and_times_come_in_as_their_own_types() -> None:
    """So that what takes only texts and numbers refuses them."""
    call = parse_call(dumps((Binary(b"x"), DateTime("20260102T03:04:05")), "m").encode())
    assert [type(value).__name__ for value in call.params] == ["bytes", "datetime"]


def test_a_fault_is_read_back() -> None:
    with pytest.raises(Fault, match="no <such> method") as caught:
        loads(dump_fault(Fault(-32601, "no <such> method\0")))
    assert caught.value.faultCode == -32601

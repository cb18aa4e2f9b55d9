"""Calls and answers of XML-RPC, as mirrors of old and ``pip search`` speak it.

What is wrong with a call is told by a :exc:`xmlrpc.client.Fault`, with the codes of the
"Specification for Fault Code Interoperability".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xmlrpc.client import MAXINT, Fault, Unmarshaller, dumps

from attrs import frozen
from defusedxml.xmlrpc import DefusedExpatParser

from pypid.formats.xml_text import xml_text

__all__ = [
    "INVALID_PARAMS",
    "MAX_CALL",
    "METHOD_NOT_FOUND",
    "PARSE_ERROR",
    "Call",
    "dump_answer",
    "dump_fault",
    "parse_call",
]

MAX_CALL = 64 * 1024
"""How many bytes a call may have."""

PARSE_ERROR = -32700
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602


@frozen
class Call:
    """A call of a method."""

    method: str
    """The method's name; anything that a client thinks of."""
    params: tuple[object, ...]
    """The arguments: texts, numbers, lists, dictionaries..."""


def parse_call(data: bytes) -> Call:
    """Parse the document of a call.

    Document types, and with them entities, are refused: they are only ever sent to do harm.

    :raises Fault: it is longer than :data:`MAX_CALL`, no XML, or not a call.
    """
    if len(data) > MAX_CALL:
        raise Fault(PARSE_ERROR, f"the call is longer than {MAX_CALL} bytes")
    unmarshaller = Unmarshaller(use_builtin_types=True)
    parser = DefusedExpatParser(unmarshaller, forbid_dtd=True)
    try:
        parser.feed(data)
        parser.close()
        params = unmarshaller.close()
    except Exception:
        # The unmarshaller checks nothing: out of order, its elements make it fail in many ways.
        raise Fault(PARSE_ERROR, "the body is not a well-formed XML-RPC call") from None
    method = unmarshaller.getmethodname()
    if method is None:
        raise Fault(PARSE_ERROR, "the body is an XML-RPC answer, not a call")
    return Call(method, tuple(params))


def dump_answer(value: object) -> bytes:
    """Write the document that answers a call with a value.

    ``None`` becomes ``nil``, an extension that all the clients know. A number above
    2\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT ONE} becomes a double, as XML-RPC has no larger integers.
    """
    return dumps((_plain(value),), methodresponse=True, allow_none=True, encoding="utf-8").encode("utf-8")


def dump_fault(fault: Fault) -> bytes:
    """Write the document that answers a call with what is wrong with it."""
    plain = Fault(fault.faultCode, xml_text(fault.faultString))
    return dumps(plain, methodresponse=True, encoding="utf-8").encode("utf-8")


def _plain(value: object) -> Any:
    """Give a value of what XML-RPC can carry."""
    if isinstance(value, str):
        return xml_text(value)
    if isinstance(value, int) and abs(value) > MAXINT:
        return float(value)
    if isinstance(value, Mapping):
        return {xml_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

"""Calls and answers of XML-RPC, for old mirrors and ``pip search``.

Errors of a call are :exc:`xmlrpc.client.Fault`, with the codes of the
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
"""The most bytes that a call may have."""

PARSE_ERROR = -32700
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602


@frozen
class Call:
    """A parsed method call."""

    method: str
    """The method's name, not validated."""
    params: tuple[object, ...]
    """The arguments: strings, numbers, lists, dictionaries and the like."""


def parse_call(data: bytes) -> Call:
    """Parse the XML document of a call.

    Document types, and with them entities, are refused: only attackers send them.

    :raises Fault: the document is longer than :data:`MAX_CALL`, not XML, or not a call.
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
        # The unmarshaller checks nothing: elements in a wrong order make it raise many kinds of errors.
        raise Fault(PARSE_ERROR, "the body is not a well-formed XML-RPC call") from None
    method = unmarshaller.getmethodname()
    if method is None:
        raise Fault(PARSE_ERROR, "the body is an XML-RPC answer, not a call")
    return Call(method, tuple(params))


def dump_answer(value: object) -> bytes:
    """Return the XML document that answers a call with a value.

    ``None`` becomes ``nil``, an extension that all clients know. A number above
    2\N{SUPERSCRIPT THREE}\N{SUPERSCRIPT ONE} becomes a double, as XML-RPC has no larger integers.
    """
    return dumps((_plain(value),), methodresponse=True, allow_none=True, encoding="utf-8").encode("utf-8")


def dump_fault(fault: Fault) -> bytes:
    """Return the XML document that answers a call with an error."""
    plain = Fault(fault.faultCode, xml_text(fault.faultString))
    return dumps(plain, methodresponse=True, encoding="utf-8").encode("utf-8")


def _plain(value: object) -> Any:
    """Return a value with only such types and texts as XML-RPC can express."""
    if isinstance(value, str):
        return xml_text(value)
    if isinstance(value, int) and abs(value) > MAXINT:
        return float(value)
    if isinstance(value, Mapping):
        return {xml_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value

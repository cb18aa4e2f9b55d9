"""Upload forms, well-formed and malformed."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from attrs import frozen

from pypid.names import ArchiveKind, parse_filename

BOUNDARY = "a-boundary-of-this-form"


@frozen
class Part:
    """A part of a form."""

    name: str
    """The field's name."""
    value: str | bytes
    """Its value; text is sent as UTF-8."""
    filename: str | None = None
    """The file's name, if it is one."""
    content_type: str | None = None
    """The part's media type, if it is said."""

    def encoded(self) -> bytes:
        """Return the part, preceded by the boundary."""
        lines = [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{self.name}"']
        if self.filename is not None:
            lines[1] += f'; filename="{self.filename}"'
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        value = self.value.encode() if isinstance(self.value, str) else self.value
        return "\r\n".join([*lines, "", ""]).encode() + value + b"\r\n"


def encode(parts: Sequence[Part]) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a form."""
    body = b"".join(part.encoded() for part in parts) + f"--{BOUNDARY}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, body


def upload_parts(
    filename: str, content: bytes, *, sent_as: str | None = None, **fields: str | None
) -> list[Part]:
    """Return the parts of twine's upload of a file, the file last.

    :param sent_as: the file's name in the form, if it is a false one.
    :param fields: replace the fields that follow from the file; ``None`` omits a field.
    """
    parsed = parse_filename(filename)
    said: dict[str, str | None] = {
        "name": parsed.display_name,
        "version": parsed.version,
        "metadata_version": "2.1",
        "filetype": parsed.kind.value,
        "pyversion": "py3" if parsed.kind is ArchiveKind.WHEEL else "source",
        "sha256_digest": sha256(content).hexdigest(),
        ":action": "file_upload",
        "protocol_version": "1",
    }
    parts = [Part(name, value) for name, value in (said | fields).items() if value is not None]
    return [
        *parts,
        Part("content", content, filename if sent_as is None else sent_as, "application/octet-stream"),
    ]

"""S3's XML, written and read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from alfine.programs.data.buckets.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0 has no way to say these


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


Content = str | int | bool | Iterable[Markup]


def element(tag: str, *contents: Content) -> Markup:
    """Return an element with its contents."""
    return Markup(f"<{tag}>{''.join(_inner(content) for content in contents)}</{tag}>")


def document(tag: str, *contents: Content) -> bytes:
    """Return a document with one root element."""
    body = "".join(_inner(content) for content in contents)
    return f'{_DECLARATION}<{tag} xmlns="{NAMESPACE}">{body}</{tag}>'.encode()


def error_document(error: S3Error, resource: str, request_id: str) -> bytes:
    """Return the document of an error."""
    details = [element(tag, value) for tag, value in error.details.items()]
    inner = [element("Code", error.code), element("Message", str(error)), *details]
    inner += [element("Resource", resource), element("RequestId", request_id)]
    return f"{_DECLARATION}<Error>{''.join(inner)}</Error>".encode()


def text(plain: str) -> str:
    """Return text escaped for XML."""
    return escape(_UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", plain), {"\r": "&#13;"})


def time(at: datetime) -> str:
    """Return a time, in UTC, as S3's XML writes it."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _inner(content: Content) -> str:
    if isinstance(content, Markup):
        return content
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, str):
        return text(content)
    return str(content) if isinstance(content, int) else "".join(content)


def parse(body: bytes, root: str) -> ET.Element:
    """Return the root of a document, without namespaces. A document that defines entities is refused."""
    try:
        said = body.decode()
        if "<!" in said:
            raise S3Error("MalformedXML")
        parsed = ET.fromstring(said)  # noqa: S314 # nothing to expand
    except (UnicodeDecodeError, ET.ParseError):
        raise S3Error("MalformedXML") from None
    for node in parsed.iter():
        node.tag = node.tag.rpartition("}")[2]
    if parsed.tag != root:
        raise S3Error("MalformedXML")
    return parsed

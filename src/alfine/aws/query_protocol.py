"""AWS's query protocol, for STS, IAM and older CloudWatch clients: a form as request, XML as answer, both by botocore's model.

The form is turned into JSON, which the reader of json_protocol.py checks, so that there is only one set of checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from alfine.aws.json_protocol import Api
from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import not_readable, unknown_operation

if TYPE_CHECKING:
    from alfine.aws.services import JsonService

MAX_FIELDS = 2000
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Explain = Callable[[Exception, str], tuple[int, str, str]]


def answer(services: Mapping[str, JsonService], body: bytes, explain: Explain) -> tuple[int, bytes]:
    """Return (HTTP status, XML) for a form."""
    operation = ""
    try:
        fields = dict(parse_qsl(body.decode("ascii", "strict"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
        operation, version = fields.pop("Action", ""), fields.pop("Version", "")
        service = _service(services, operation, version)
        shape = service.api.model["operations"][operation].get("input", {}).get("shape")
        value = _from_fields(service.api, shape, sorted(fields.items()))
        return 200, _answer_xml(service.api, operation, service.call(operation, value))
    except (UnicodeDecodeError, ValueError) as error:
        return 400, error_xml("MalformedQueryString", str(error))
    except Exception as error:  # noqa: BLE001 - the rim, as for JSON
        status, code, message = explain(error, operation)
        return status, error_xml(code, message)


def _service(services: Mapping[str, JsonService], operation: str, version: str) -> JsonService:
    for service in services.values():
        known = service.api.model
        if known["metadata"]["apiVersion"] == version and operation in known["operations"]:
            return service
    raise unknown_operation(operation)


# ---- the form ----------------------------------------------------------------------------------------------------------


def _from_fields(api: Api, shape: str | None, fields: Iterable[tuple[str, str]]) -> Any:
    """Return the fields of a form, such as «Dimensions.member.1.Name=Host», as the value that JSON would have."""
    tree: Plain = {}
    for key, text in fields:
        node = tree
        *path, last = key.split(".")
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise not_readable(f"The field {key[:80]!r} doesn't fit to the others.")
        node[last] = text
    return _value(api, shape, tree) if shape else {}


def _value(api: Api, name: str, node: Any) -> Any:
    shape = api.model["shapes"][name]
    kind = shape["type"]
    if isinstance(node, dict) and kind == "structure":
        members = shape["members"]
        return {key: _value(api, members[key]["shape"], each) if key in members else each for key, each in node.items()}
    if isinstance(node, dict) and kind == "list":
        inside = node.get("member", node)
        numbered = sorted((key for key in inside if str(key).isdigit()), key=int) if isinstance(inside, dict) else []
        return [_value(api, shape["member"]["shape"], inside[key]) for key in numbered]
    if isinstance(node, str) and kind in ("integer", "long", "float", "double"):
        return _number(node, whole=kind in ("integer", "long"))
    if isinstance(node, str) and kind == "boolean":
        return {"true": True, "false": False}.get(node.lower(), node)
    return node


def _number(text: str, *, whole: bool) -> Any:
    try:
        return int(text[:32]) if whole else float(text[:64])
    except ValueError:
        return text  # the model's reader says what is wrong with it


# ---- the answer --------------------------------------------------------------------------------------------------------


def _answer_xml(api: Api, operation: str, value: Plain) -> bytes:
    output = api.model["operations"][operation].get("output", {})
    inner = _xml(api, output["shape"], value) if output else ""
    wrapper = output.get("resultWrapper", f"{operation}Result")
    space = api.model["metadata"].get("xmlNamespace", "")
    space = space.get("uri", "") if isinstance(space, dict) else space
    body = f'<{operation}Response xmlns="{space}"><{wrapper}>{inner}</{wrapper}>'
    return f"{body}<ResponseMetadata><RequestId>alfine</RequestId></ResponseMetadata></{operation}Response>".encode()


def _xml(api: Api, name: str, value: Any) -> str:
    shape = api.model["shapes"][name]
    match shape["type"]:
        case "structure":
            members = shape["members"]
            return "".join(_element(key, _xml(api, members[key]["shape"], each)) for key, each in value.items())
        case "list":
            member = shape["member"]
            return "".join(
                _element(member.get("locationName", "member"), _xml(api, member["shape"], each)) for each in value
            )
        case "timestamp":
            return datetime.fromtimestamp(value).astimezone().isoformat()
        case "boolean":
            return "true" if value else "false"
        case _:
            return escape(NOT_XML.sub("\ufffd", str(value)))


def _element(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"


def error_xml(code: str, message: str) -> bytes:
    """Return an error as XML."""
    text = escape(NOT_XML.sub("\ufffd", message))
    return f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{text}</Message></Error><RequestId>alfine</RequestId></ErrorResponse>".encode()

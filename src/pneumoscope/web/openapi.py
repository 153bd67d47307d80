"""Make the OpenAPI 3.1 document of the API from its table of routes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.web.bodies import ErrorAnswer
from pneumoscope.web.guard import TOKEN_HEADER
from pneumoscope.web.operations import API, JSON, Body, Operation, Parameter, Schema

_REFERENCE = "#/components/schemas/{name}"


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Describe an API.

    Parameters
    ----------
    operations : sequence of Operation
        The table of routes.

    Returns
    -------
    dict
        OpenAPI 3.1 document.
    """
    classes = sorted({kind for one in operations for kind in _classes(one)} | {ErrorAnswer}, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(classes, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(API + one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pneumoscope", "version": __version__, "description": DISCLAIMER},
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "schemas": {name: _closed(schema) for name, schema in sorted(schemas.items())},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
        },
    }


def _classes(operation: Operation) -> list[type]:
    bodies = [*operation.answers.values(), *([operation.body] if operation.body else [])]
    return [body.content for body in bodies if isinstance(body.content, type)]


def _operation(operation: Operation) -> dict[str, Any]:
    own = [Parameter(name, "Id or name.", "path") for name in operation.path_names]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_parameter(one) for one in (*own, *operation.parameters)],
        "responses": {str(status): _response(body) for status, body in operation.answers.items()}
        | {"default": _response(Body("The request was refused.", ErrorAnswer))},
    }
    if operation.body:
        described["requestBody"] = {"required": True, **_response(operation.body)}
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _response(body: Body) -> dict[str, Any]:
    if body.media_type == JSON and body.content is None:
        return {"description": body.description}
    schema = _schema(body.content)
    return {"description": body.description, "content": {body.media_type: {"schema": schema} if schema else {}}}


def _schema(content: type | Schema | None) -> Schema:
    if isinstance(content, type):
        return {"$ref": _REFERENCE.format(name=content.__name__)}
    return content or {}


def _closed(schema: Schema) -> Schema:
    """A schema of an object that takes no other property than its own."""
    return {**schema, "additionalProperties": False} if schema.get("type") == "object" else schema

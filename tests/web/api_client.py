"""A client of the API for tests, which checks every answer that it sees against the OpenAPI document."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.testclient import TestClient

from pneumoscope.web import openapi
from pneumoscope.web.app import OPERATIONS, build
from pneumoscope.web.guard import TOKEN_HEADER, Access

DOCUMENT = openapi.document(OPERATIONS)
_URI = "urn:openapi"
_REGISTRY = Registry().with_resource(_URI, Resource.from_contents(DOCUMENT, default_specification=DRAFT202012))
BASE = "http://127.0.0.1:8080"


def validate(value, schema) -> None:
    """Hold a value against a schema of the document."""
    schema = json.loads(json.dumps(schema).replace('"#/', f'"{_URI}#/'))
    jsonschema.Draft202012Validator(schema, registry=_REGISTRY).validate(value)


def operation_of(method: str, path: str) -> dict:
    """The operation of the document that a request is for: of several, the one with the most literal path."""
    parts = path.split("/")
    matching = [
        (template, one)
        for template, one in DOCUMENT["paths"].items()
        if method.lower() in one and len(template.split("/")) == len(parts) and all(map(_matches, template.split("/"), parts))
    ]
    assert matching, f"{method} {path} is not in the document"
    return max(matching, key=lambda pair: len(pair[0].replace("{", "").split("}")[-1]))[1][method.lower()]


def _matches(pattern: str, part: str) -> bool:
    if "{" not in pattern:
        return pattern == part
    return part.endswith(pattern.split("}")[1]) and part.startswith(pattern.split("{")[0])


class ApiClient(TestClient):
    """A `TestClient` with the token; `seen` counts the operations and statuses that it met."""

    seen: "set[tuple[str, int]]" = set()  # noqa: RUF012 - shared by all clients of a run

    def __init__(self, workspace, access=None, **options):
        headers = {TOKEN_HEADER: workspace.options.token}
        access = access or Access(workspace.options.token)
        super().__init__(build(workspace, access), base_url=BASE, headers=headers, **options)
        self.workspace = workspace
        self.texts = []

    def request(self, method, url, **options):
        answer = super().request(method, url, **options)
        path = urlsplit(str(url)).path
        if path.startswith("/api/v1") and answer.status_code not in (404, 405):
            self._check(method, path, answer)
        elif answer.status_code >= 400 and method != "HEAD":
            validate(answer.json(), {"$ref": "#/components/schemas/ErrorAnswer"})
        self.texts.append(f"{answer.headers} {answer.text if _is_text(answer) else ''}")
        return answer

    def _check(self, method, path, answer):
        operation = operation_of(method, path)
        described = operation["responses"].get(str(answer.status_code), operation["responses"]["default"])
        ok = answer.status_code < 400
        assert not ok or str(answer.status_code) in operation["responses"], f"{answer.status_code} is not described"
        self.seen.add((operation["operationId"], answer.status_code))
        contents = described.get("content")
        if contents is None:
            assert not answer.content
            return
        (media_type,) = contents
        assert answer.headers["content-type"].split(";")[0] == media_type
        if media_type == "application/json":
            validate(answer.json(), contents[media_type]["schema"])


def _is_text(answer) -> bool:
    return answer.headers.get("content-type", "").startswith(("application/json", "text/"))


def add(client: ApiClient, content: bytes | Path, **headers) -> dict:
    """Upload a film."""
    body = content if isinstance(content, bytes) else content.read_bytes()
    answer = client.post("/api/v1/films", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()

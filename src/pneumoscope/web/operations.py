"""The noun `Operation`: one row of the table of routes, from which the server and the OpenAPI document are both made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pneumoscope.web.errors import RequestError
from pneumoscope.web.workspace import Workspace

JSON, BYTES, PNG, EVENTS, LINES, CSV = (
    "application/json", "application/octet-stream", "image/png", "text/event-stream", "application/jsonl", "text/csv",
)  # fmt: skip
API = "/api/v1"
"""Where the API begins."""
Schema = dict[str, Any]
Arguments = Mapping[str, Any]
Handler = Callable[[Workspace, Arguments], Response]
AsyncHandler = Callable[[Workspace, Arguments, Request], Awaitable[Response]]
_STRING: Schema = {"type": "string"}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a path, of a query, or a header.

    Parameters
    ----------
    name : str
        Its name.
    description : str
        What it means.
    where : {"query", "path", "header"}
        Where it stands.
    schema : dict
        JSON Schema of its value: a string, or an integer or one of several words, which are checked.
    default : object
        Value where the client leaves it out.
    """

    name: str
    description: str
    where: Literal["query", "path", "header"] = "query"
    schema: Schema = field(default_factory=lambda: dict(_STRING))
    default: Any = ""

    def parse(self, text: str) -> Any:
        """Parse the text of a query.

        Parameters
        ----------
        text : str
            As the client sent it.

        Returns
        -------
        object
            The value.

        Raises
        ------
        RequestError
            If it is no value of the schema.
        """
        if self.schema.get("type") == "integer":
            low, high = self.schema.get("minimum", 0), self.schema.get("maximum", 2**53)
            if not (text.isascii() and text.isdigit() and len(text) < 17) or not low <= int(text) <= high:
                raise RequestError(f"the parameter '{self.name}' must be a whole number from {low} to {high}")
            return int(text)
        if "enum" in self.schema and text not in self.schema["enum"]:
            raise RequestError(f"the parameter '{self.name}' must be one of {', '.join(self.schema['enum'])}")
        return text


@dataclass(frozen=True)
class Body:
    """A body of a request or an answer.

    Parameters
    ----------
    description : str
        What it holds.
    content : type or dict, optional
        Class of a JSON body, or its JSON Schema; None for a body that is not JSON.
    media_type : str
        Its Content-Type.
    """

    description: str
    content: type | Schema | None = None
    media_type: str = JSON


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    Parameters
    ----------
    method, path : str
        HTTP method, and path below the API with parameters in braces.
    name : str
        Its operationId.
    summary : str
        What it does, in one sentence.
    handler : callable
        Answers a request: in a thread, or in the event loop where `asynchronous`.
    answers : mapping of int to Body
        The answers of success by their status; every refusal is an `ErrorAnswer`.
    parameters : tuple of Parameter
        Of the query, and headers; those of the path are known from it.
    body : Body, optional
        Body of the request.
    asynchronous : bool
        Whether the handler is a coroutine, which also gets the request itself.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler | AsyncHandler
    answers: Mapping[int, Body]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    asynchronous: bool = False

    @property
    def path_names(self) -> list[str]:
        """Names of the parameters of the path."""
        return [part.split("}")[0] for part in self.path.split("{")[1:]]

    def arguments(self, request: Request) -> dict[str, Any]:
        """Read the parameters of a request.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        dict
            Values by name, those of headers in lower case with underscores.

        Raises
        ------
        RequestError
            If a parameter of the query is unknown, given twice or has no value of its schema.
        """
        query = {one.name: one for one in self.parameters if one.where == "query"}
        values: dict[str, Any] = {name: one.default for name, one in query.items()}
        given = request.query_params.multi_items()
        for name, text in given:
            if name not in query:
                raise RequestError(f"there is no such parameter here; the parameters are {', '.join(query) or 'none'}")
            values[name] = query[name].parse(text)
        if len({name for name, _ in given}) < len(given):
            raise RequestError("a parameter is given twice; give it once")
        headers = [one.name for one in self.parameters if one.where == "header"]
        values |= {name.lower().replace("-", "_"): request.headers.get(name, "") for name in headers}
        return values | request.path_params


def json_response(value: object, status: int = 200) -> Response:
    """Make a JSON answer of a dataclass.

    Parameters
    ----------
    value : object
        The body.
    status : int
        HTTP status.

    Returns
    -------
    Response
        The answer.
    """
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def integer(minimum: int, maximum: int) -> Schema:
    """Make the schema of a whole number.

    Parameters
    ----------
    minimum, maximum : int
        Least and largest value.

    Returns
    -------
    dict
        The schema.
    """
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def one_of(*words: str) -> Schema:
    """Make the schema of one of several words.

    Parameters
    ----------
    *words : str
        The words.

    Returns
    -------
    dict
        The schema.
    """
    return {"type": "string", "enum": list(words)}

"""What a request to the server can be refused for, each with its HTTP status.

PneumoscopeError
└── WebError
    ├── RequestError          400  a parameter or body that is not understood
    ├── ForbiddenError        403  a wrong Host or Origin
    │   └── TokenError             a wrong token
    ├── MissingError          404  a model, job, region or path that is not there
    │   └── NoFilmError            a film that is not there, or was closed
    ├── NotReadError          404  a film that the model has not read yet
    ├── SlowBodyError         408  a body that did not arrive in time
    ├── ChangedError          409  a file that was replaced since it was opened
    ├── TooLargeBodyError     413  a body above the limit
    ├── UnusableFilmError     422  a film that cannot be decoded
    ├── UnexpectedError       500  what nobody foresaw
    ├── NotBuiltError         501  packages that the path needs are not installed
    ├── UnavailableError      502  a film whose server does not give it now
    └── FullError             507  more uploads than fit into memory
"""

from pneumoscope import PneumoscopeError


class WebError(PneumoscopeError):
    """A request was refused."""

    status = 500

    @property
    def kind(self) -> str:
        """Name of the error in the API, with underscores: ``not_read``."""
        name = type(self).__name__.removesuffix("Error")
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class RequestError(WebError):
    """A parameter or a body is not understood."""

    status = 400


class ForbiddenError(WebError):
    """The request is for another host, or comes from a page of another origin."""

    status = 403


class TokenError(ForbiddenError):
    """The request has no valid token."""


class MissingError(WebError):
    """The model, job, region or path is not there."""

    status = 404


class NoFilmError(MissingError):
    """The film is not there, or was closed."""


class NotReadError(WebError):
    """The model has not read the film yet."""

    status = 404


class SlowBodyError(WebError):
    """The body did not arrive in time."""

    status = 408


class ChangedError(WebError):
    """The file was replaced since it was opened."""

    status = 409


class TooLargeBodyError(WebError):
    """The body is larger than any that is taken."""

    status = 413


class UnusableFilmError(WebError):
    """The film cannot be decoded or read."""

    status = 422


class UnexpectedError(WebError):
    """The server met an error that nobody foresaw."""


class NotBuiltError(WebError):
    """The packages that the path needs are not installed."""

    status = 501


class UnavailableError(WebError):
    """The server that a film lies on does not give it now; another try may succeed."""

    status = 502


class FullError(WebError):
    """The uploads in memory would be more than the limit."""

    status = 507

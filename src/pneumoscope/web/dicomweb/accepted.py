"""Which media types a client accepts (RFC 9110 12.5.1, PS3.18 8.7.5)."""

from starlette.requests import Request

from pneumoscope.web.dicomweb.multipart import parameters_of
from pneumoscope.web.errors import WebError

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
ANY = "*"
_MOST_TYPES = 50


class NotAcceptableError(WebError):
    """The client accepts no media type that there is."""

    status = 406


def choose(request: Request, *offered: str) -> tuple[str, str]:
    """Choose the first media type that the client accepts.

    Parameters
    ----------
    request : Request
        With the header Accept, or the parameter ``accept`` instead.
    *offered : str
        Media types, the preferred one first; the type of the parts behind ``multipart/related;``.

    Returns
    -------
    tuple of two str
        The media type, and the transfer syntax that the client wants: a UID, or ``*`` for the stored one.

    Raises
    ------
    NotAcceptableError
        If the client accepts none of them.
    """
    header = request.query_params.get("accept") or request.headers.get("accept") or "*/*"
    ranges = [_range(text) for text in _split(header)[:_MOST_TYPES]]
    for type_, syntax, quality in sorted(ranges, key=lambda one: -one[2]):
        for media_type in offered:
            if quality > 0 and _covers(type_, media_type):
                return media_type, syntax
    raise NotAcceptableError(f"the media types that the client accepts are not there; offered: {', '.join(offered)}")


def _split(header: str) -> list[str]:
    """Split at commas outside of quotes."""
    parts, quoted = [""], False
    for letter in header:
        quoted ^= letter == '"'
        if letter == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _range(text: str) -> tuple[str, str, float]:
    kind, parameters = parameters_of(text)
    syntax = parameters.get("transfer-syntax", EXPLICIT_LITTLE_ENDIAN)
    try:
        quality = float(parameters.get("q", "1"))
    except ValueError:
        quality = 0.0
    if kind == "multipart/related":
        return f"{kind};{parameters.get('type', ANY).lower().replace('*/*', ANY)}", syntax, quality
    return kind, syntax, quality


def _covers(accepted: str, offered: str) -> bool:
    if accepted in ("*/*", offered) or (accepted == "multipart/related;*" and offered.startswith("multipart/related;")):
        return True
    return accepted.endswith("/*") and not offered.startswith("multipart/") and offered.startswith(accepted[:-1])

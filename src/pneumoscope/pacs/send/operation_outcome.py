"""Sum up an OperationOutcome of a FHIR server without its texts, which may quote identifiers."""

import re
from typing import Any

_CODE = re.compile(r"[a-z]+(-[a-z]+)*")
_PATH = re.compile(r"[A-Za-z]{1,40}(\[\d{1,3}\])?(\.[A-Za-z0-9]{1,40}(\[\d{1,3}\])?){0,9}")
_MOST_ISSUES = 3
_BAD = ("fatal", "error")


def summary(body: Any) -> str:
    """Sum up the errors.

    Parameters
    ----------
    body : object
        Parsed JSON.

    Returns
    -------
    str
        Codes (value set ``issue-type``) and paths of elements, such as ``required at Bundle.entry[2].resource.code``; empty where
        there is no OperationOutcome with an error.
    """
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return ""
    issues = body.get("issue")
    errors = [_issue(one) for one in issues if isinstance(one, dict)] if isinstance(issues, list) else []
    return "; ".join(list(dict.fromkeys(filter(None, errors)))[:_MOST_ISSUES])


def _issue(issue: dict[str, Any]) -> str:
    code = str(issue.get("code", ""))
    if issue.get("severity") not in _BAD or not _CODE.fullmatch(code):
        return ""
    paths = issue.get("expression") or issue.get("location")
    path = str(paths[0]) if isinstance(paths, list) and paths else ""
    return f"{code} at {path}" if _PATH.fullmatch(path) else code

"""The study file to start from."""

from importlib import resources
from pathlib import Path

from pneumoscope import atomic_files
from pneumoscope.reader_study.errors import ConflictError
from pneumoscope.reader_study.folder import STUDY_FILE

SCHEMA_FILE = "study.schema.json"


def template() -> str:
    """Read the study file to start from.

    Returns
    -------
    str
        TOML with comments.
    """
    return (resources.files("pneumoscope.reader_study") / "study.template.toml").read_text(encoding="utf-8")


def write_template(folder: Path, schema: str) -> Path:
    """Write a study file to fill in, with its schema.

    Parameters
    ----------
    folder : Path
        Folder of the study; created if needed.
    schema : str
        The JSON Schema.

    Returns
    -------
    Path
        The study file.

    Raises
    ------
    ConflictError
        If there is a study file already.
    """
    file = folder / STUDY_FILE
    if file.exists():
        raise ConflictError(f"there is a study file already, '{file}'; edit it, or choose another folder")
    for name, text in ((STUDY_FILE, template()), (SCHEMA_FILE, schema)):
        with atomic_files.text(folder / name) as stream:
            stream.write(text)
    return file

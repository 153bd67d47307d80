"""Validators of other people, each as a function from the bytes of an object to what it finds wrong."""

import functools
import io
import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
from dicom_validator.spec_reader.condition import ConditionType
from dicom_validator.spec_reader.condition_parser import ConditionParser
from dicom_validator.spec_reader.serializer import DefinitionEncoder
from dicom_validator.validator.dicom_info import DicomInfo
from dicom_validator.validator.error_handler import ValidationResultHandlerBase
from dicom_validator.validator.iod_validator import IODValidator

STANDARD = Path(sys.prefix) / "standard"
"""Where the package `dicom-standard` (Innolitics) puts its tables of PS3.3, edition 2020b."""
JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("pixelmed", "vecmath", "slf4j-api", "slf4j-nop")]
HAS_PIXELMED = bool(shutil.which("java")) and all(jar.exists() for jar in JARS[:1])
HAS_DCMPSCHK = bool(shutil.which("dcmpschk"))


def dciodvfy(content: bytes, folder: Path) -> list[str]:
    """Errors of dciodvfy (David Clunie)."""
    said = _said([Path(sys.executable).with_name("dciodvfy"), "-new", _file(content, folder)])
    assert any(line and not line.startswith(("Error", "Warning")) for line in said), "dciodvfy names the IOD that it took it for"
    return [line for line in said if line.startswith("Error")]


def dcmpschk(content: bytes, folder: Path) -> list[str]:
    """Errors of dcmpschk (OFFIS), each with the attribute that it concerns."""
    text = "\n".join(_said(["dcmpschk", _file(content, folder)]))
    return re.findall(r"E: Error: .*\nE: *Affected attribute: (.*)", text)


def pixelmed(content: bytes, folder: Path) -> list[str]:
    """Errors and warnings of DicomSRValidator (PixelMed Publishing), whose style sheets exceed the limits of XPath."""
    limits = [f"-Djdk.xml.{name}=0" for name in ("xpathExprGrpLimit", "xpathExprOpLimit", "xpathTotalOpLimit")]
    path = ":".join(map(str, JARS))
    said = _said(["java", *limits, "-cp", path, "com.pixelmed.validate.DicomSRValidator", _file(content, folder)])
    assert "IOD validation complete" in said, "\n".join(said)
    assert "Root Template Validation Complete" in said
    return [line for line in said if line.startswith(("Error", "Warning"))]


def dicom_validator(content: bytes) -> list[str]:
    """Errors of dicom-validator (pydicom) by the tables of the Standard."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    result = IODValidator(dataset, standard(), log_level=logging.CRITICAL, error_handler=ValidationResultHandlerBase()).validate()
    return [
        f"{module}: {tag} {error.code.name}" for module, errors in result.module_errors.items() for tag, error in errors.items()
    ]


def _said(command: list) -> list[str]:
    ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return (ran.stdout + ran.stderr).splitlines()


def _file(content: bytes, folder: Path) -> Path:
    file = folder / "object.dcm"
    file.write_bytes(content)
    return file


# The tables of the Standard, in the form that dicom-validator reads


IODS = ("segmentation", "parametric-map", "secondary-capture-image", "grayscale-softcopy-presentation-state")
"""The IODs that are converted; the whole Standard takes half a minute."""


@functools.cache
def standard() -> DicomInfo:
    """The dictionary, the modules and the IODs of PS3.3, converted."""
    dictionary = {
        row["tag"]: {"name": row["name"], "vr": row["valueRepresentation"], "vm": row["valueMultiplicity"]}
        for row in _table("attributes")
    }
    parser = ConditionParser(dictionary)
    modules = _attributes(parser, "module_to_attributes", "moduleId", "ciod_to_modules")
    modules |= _attributes(parser, "macro_to_attributes", "macroId", "ciod_to_fg_macros")
    for groups in ("(5200,9229)", "(5200,9230)"):
        modules["multi-frame-functional-groups"][groups].setdefault("items", {})["include"] = [{"ref": "FuncGroup"}]
    ciods = {row["name"]: row["id"] for row in _table("ciods")}
    iods = {
        sop["id"]: {
            "title": sop["ciod"],
            "modules": _usages(parser, "ciod_to_modules", "moduleId", ciods[sop["ciod"]]),
            "group_macros": _usages(parser, "ciod_to_fg_macros", "macroId", ciods[sop["ciod"]]),
        }
        for sop in _table("sops")
        if ciods.get(sop["ciod"]) in IODS
    }
    return DicomInfo(dictionary, iods, modules)


@functools.cache
def _table(name: str) -> list[dict]:
    return json.loads((STANDARD / f"{name}.json").read_text(encoding="utf-8"))


def _attributes(parser: ConditionParser, table: str, key: str, used_by: str) -> dict:
    """Attributes by module; `path` names the sequences that an attribute lies in."""
    used = {row[key] for row in _table(used_by) if row["ciodId"] in IODS}
    modules: dict = {name: {} for name in used}
    for row in _table(table):
        if row[key] not in used:
            continue
        *parents, tag = (f"({part[:4]},{part[4:]})".upper().replace("XX", "00") for part in row["path"].split(":")[1:])
        level = modules[row[key]]
        for parent in parents:
            level = level.setdefault(parent, {"name": "", "type": "3"}).setdefault("items", {})
        level.setdefault(tag, {}).update({"name": tag, "type": row["type"]} | _condition(parser, row["type"], row["description"]))
    return modules


def _usages(parser: ConditionParser, table: str, key: str, ciod: str) -> dict:
    return {
        row[key]: {"ref": row[key], "use": row["usage"]}
        | _condition(parser, "1C" if row["usage"] == "C" else "", row["conditionalStatement"] or "")
        for row in _table(table)
        if row["ciodId"] == ciod
    }


def _condition(parser: ConditionParser, type_: str, html: str) -> dict:
    """The condition that a description states, as far as the parser of dicom-validator understands it."""
    if type_ not in ("1C", "2C"):
        return {}
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()
    condition = parser.parse(text)
    return (
        {} if condition.type == ConditionType.UserDefined else {"cond": json.loads(json.dumps(condition, cls=DefinitionEncoder))}
    )

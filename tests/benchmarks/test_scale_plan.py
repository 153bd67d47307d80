"""The plan of docs/scale.md, by hand; and the examples of a cluster, whose commands and versions are those of the program."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from pneumoscope import __version__
from pneumoscope.cli.main import pneumoscope

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "scale"
JOB = yaml.safe_load((EXAMPLES / "rayjob.yaml").read_text(encoding="utf-8"))
BATCH = EXAMPLES / "archive.sbatch"


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("scale_page", ROOT / "docs" / "scale_page.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "scale_page", module)  # dataclasses look there for their module
        spec.loader.exec_module(module)
        yield module


def test_a_plan_is_what_a_hand_computes(page):
    """20 a second and core on 10 cores, half of the time: 100 a second, 360,000 an hour; 3,600,000 take 10 machine hours."""
    measured = page.Measured(per_core=20, result_bytes=1000, manifest_bytes=10, rows_a_shard=250, driver_seconds=0.01)
    assumed = page.Assumed(cores=10, network_bytes=1e9, image_bytes=1e6, efficiency=0.5, price=0.2, request_price=0.001)
    plan = page.plan(3_600_000, 4, measured, assumed)
    assert (plan.machines, plan.bound) == (3, "cores")  # 2.5 machines
    assert plan.machine_hours == pytest.approx(10)
    assert plan.cost == pytest.approx(10 * 10 * 0.2 + 7200 * 0.001)
    assert (plan.read_bytes, plan.result_bytes, plan.manifest_bytes) == pytest.approx((3.6e12, 3.6e9, 3.6e7))
    assert (plan.manifests, plan.shards) == (1, 14_400)
    assert plan.driver_cores == pytest.approx(14_400 * 0.01 / (4 * 3600))


def test_large_images_are_limited_by_the_network(page):
    """1 GB a second and 50 MB each: 20 a second, 72,000 an hour."""
    measured = page.Measured(per_core=20, result_bytes=1, manifest_bytes=1, rows_a_shard=100, driver_seconds=0.01)
    plan = page.plan(20_000_001, 1, measured, page.Assumed(cores=10, network_bytes=1e9, image_bytes=5e7, efficiency=0.5))
    assert (plan.bound, plan.machines, plan.manifests) == ("network", 278, 3)
    assert plan.machine_hours == pytest.approx(20_000_001 / 72_000)


# Kubernetes: the fields of apis/ray/v1/rayjob_types.go and raycluster_types.go of KubeRay 1.4, as far as they are used.
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
GROUP = {"rayStartParams": STRINGS, "template": {"type": "object", "required": ["spec"]}}
COUNT = {"type": "integer", "minimum": 0}
WORKERS = {"groupName": {"type": "string"}, "replicas": COUNT, "minReplicas": COUNT, "maxReplicas": COUNT}
RAY_JOB = Draft202012Validator({
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayJob"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "entrypoint": {"type": "string"},
                "entrypointNumCpus": {"type": "number"},
                "backoffLimit": COUNT,
                "shutdownAfterJobFinishes": {"type": "boolean"},
                "ttlSecondsAfterFinished": COUNT,
                "rayClusterSpec": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["headGroupSpec"],
                    "properties": {
                        "rayVersion": {"type": "string"},
                        "headGroupSpec": {
                            "type": "object", "additionalProperties": False, "required": ["template"], "properties": GROUP,
                        },
                        "workerGroupSpecs": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["groupName", "minReplicas", "maxReplicas", "template"],
                                "properties": GROUP | WORKERS,
                            },
                        },
                    },
                },
            },
        },
    },
})  # fmt: skip


def test_the_job_of_kuberay_has_the_fields_of_its_kind():
    RAY_JOB.validate(JOB)
    with pytest.raises(ValidationError, match="entrypointCpus"):
        RAY_JOB.validate(JOB | {"spec": JOB["spec"] | {"entrypointCpus": 1}})


def groups():
    cluster = JOB["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_every_pod_has_one_image_and_a_limit_of_memory_and_sends_nothing_to_the_makers_of_ray():
    containers = [container for group in groups() for container in group["template"]["spec"]["containers"]]
    assert {container["image"].rpartition(":")[2] for container in containers} == {__version__}
    assert len({container["image"] for container in containers}) == 1
    for group, container in zip(groups(), containers, strict=True):
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        assert group["rayStartParams"]["disable-usage-stats"] == "true"
    assert groups()[0]["rayStartParams"]["num-cpus"] == "0"


def test_the_job_names_the_version_of_ray_that_the_program_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (asked,) = [one for one in project["optional-dependencies"]["scale"] if one.startswith("ray")]
    assert asked == f"ray[data]>={JOB['spec']['rayClusterSpec']['rayVersion'].removesuffix('.0')}"


def batch_command() -> list[str]:
    text = re.sub(r"\\\n\s*", " ", BATCH.read_text(encoding="utf-8"))
    return shlex.split(next(line for line in text.splitlines() if line.startswith("srun")))


@pytest.mark.parametrize("words", [shlex.split(JOB["spec"]["entrypoint"]), batch_command()], ids=["kuberay", "slurm"])
def test_the_commands_of_the_examples_can_be_parsed(words):
    words = words[words.index("pneumoscope") + 1 :]
    command: click.Command = pneumoscope
    context = click.Context(pneumoscope, info_name="pneumoscope", **pneumoscope.context_settings)
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    parsed = command.make_context("read", words, parent=context)
    assert parsed.params["engine"] == "ray"
    assert parsed.params["ray_address"] == "auto"


def test_ray_knows_the_options_of_the_batch_job():
    words = batch_command()
    ours = words[words.index("symmetric-run") + 1 : words.index("--")]
    ray = shutil.which("ray") or str(Path(sys.executable).with_name("ray"))
    shown = [
        subprocess.run([ray, *verb, "--help"], capture_output=True, text=True).stdout for verb in (["symmetric-run"], ["start"])
    ]
    for option in (word.partition("=")[0] for word in ours if word.startswith("--")):
        assert any(re.search(rf"{option}\b", text) for text in shown), option


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_can_read_the_batch_job():
    done = subprocess.run(["bash", "-n", str(BATCH)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

"""The parts of the Ray engine that need no cluster; `test_ray_nodes` runs it on several nodes."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ray.exceptions import ActorDiedError, RayTaskError

from pneumoscope.archive import ray_engine, shards
from pneumoscope.archive.errors import UnavailableSourceError
from pneumoscope.archive.ray_engine import RayEngineError, RayOptions
from pneumoscope.reader import Reader
from tests.archive.ray_archives import digests, make_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory, glass):
    return make_archive(tmp_path_factory.mktemp("archive") / "in", glass, 40, rows_a_shard=4)


@pytest.fixture
def plan(archive, tmp_path):
    reader = Reader.load(archive.bundle, threads=1)
    return shards.make_plan(str(archive.manifest), str(tmp_path / "out"), reader, bundle=archive.bundle)


def reader_of(plan, wanted=None, files=None):
    """An actor's reader, made in this process; Ray hands it the bundle where `ray.get` is called."""
    content = files or {file.name: file.read_bytes() for file in Path(plan.bundle).iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_engine.ray, "get", lambda reference: content)
        return ray_engine._ShardReader(plan, None, wanted or ray_engine.versions(), False)


def batch(number: int) -> dict[str, np.ndarray]:
    return {"shard": np.array([number])}


def test_shards_read_by_actors_have_the_bytes_of_those_read_here(archive, plan):
    read = reader_of(plan)
    numbers = [int(number) for part in ray_engine._Pending(plan)._parts for number in part]
    assert numbers == list(range(plan.n_shards))
    for number in numbers:
        read(batch(number))
    assert digests(Path(plan.out)) == digests(archive.alone)
    assert ray_engine._Pending(plan)._parts == []


def test_shard_numbers_are_handed_out_a_thousand_at_a_time(plan, monkeypatch):
    monkeypatch.setattr(shards, "pending", lambda plan: iter(range(2500)))
    source = ray_engine._Pending(plan)
    tasks = source.get_read_tasks(source.tasks)
    assert [len(task.read_fn().__next__()) for task in tasks] == [1000, 1000, 500]
    assert source.estimate_inmemory_data_size() == 2500 * 8


@pytest.mark.parametrize(
    ("options", "processors", "n_shards", "first", "most"),
    [
        (RayOptions(), 16.0, 1000, 16, float("inf")),
        (RayOptions(readers=4), 16.0, 1000, 4, 4),
        (RayOptions(readers=4, cpus_a_reader=0.5), 2.0, 1000, 4, 4),
        (RayOptions(readers=40), 16.0, 1000, 16, 40),
        (RayOptions(), 16.0, 3, 3, float("inf")),
        (RayOptions(), 0.0, 1000, 1, float("inf")),  # a head that reads nothing, before its first worker joins
    ],
)
def test_all_readers_that_have_room_start_at_once(options, processors, n_shards, first, most):
    """Ray adds them one by one as it finds the first ones busy, which takes longer than a short run."""
    pool = ray_engine._readers(options, processors, n_shards)
    assert (pool.min_size, pool.initial_size, pool.max_size) == (1, first, most)


def test_a_worker_with_other_versions_refuses_to_read(plan):
    read = reader_of(plan, wanted=ray_engine.versions() | {"numpy": "1.0.0", "pyjpegls": ""})
    with pytest.raises(RayEngineError, match=r"a worker has numpy \d\S+ instead of 1\.0\.0, pyjpegls \S+ instead of none, and"):
        read(batch(0))
    assert list(shards.pending(plan)) == list(range(plan.n_shards))


def test_versions_name_what_decides_a_result():
    own = ray_engine.versions()
    assert {"pneumoscope", "onnxruntime", "numpy", "pyarrow", "Python", "processor"} <= own.keys()
    assert own["numpy"] == np.__version__
    ray_engine.require_versions(own, own)


def test_a_worker_with_another_model_refuses_to_read(plan):
    other = replace(plan, run=replace(plan.run, model=replace(plan.run.model, sha256="0" * 64)))
    with pytest.raises(Exception, match="does not hold the model of this run"):
        reader_of(other)(batch(0))


def test_an_output_that_cannot_be_written_is_a_sentence_without_a_name(plan, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "Doe^Jane.parquet")

    monkeypatch.setattr(shards, "read_shard", full)
    with pytest.raises(RayEngineError, match=r"could not be written on a worker: no space left on device$"):
        reader_of(plan)(batch(0))


def test_the_bundle_is_written_once_for_all_readers_of_a_machine_and_mended_where_it_differs(tmp_path):
    files = {"card.json": b"{}", "model.onnx": b"graph"}
    folder = ray_engine.installed(files, tmp_path)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files
    (folder / "model.onnx").write_bytes(b"other")
    before = (folder / "card.json").stat().st_mtime_ns
    assert ray_engine.installed(files, tmp_path) == folder
    assert (folder / "model.onnx").read_bytes() == b"graph"
    assert (folder / "card.json").stat().st_mtime_ns == before
    assert ray_engine.installed(files | {"card.json": b"{ }"}, tmp_path) != folder


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no user ids")
def test_a_folder_of_another_user_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(RayEngineError, match="belongs to another user"):
        ray_engine.installed({"card.json": b"{}"}, tmp_path)


def test_the_error_of_a_reader_is_found_behind_those_of_ray():
    cause = UnavailableSourceError("the store did not answer")
    wrapped = RuntimeError("user code failed")
    wrapped.__cause__ = cause
    task = RayTaskError("read", "Traceback …", wrapped)
    assert ray_engine._sentence(task) is cause
    assert ray_engine._sentence(RayTaskError("read", "Traceback …", cause).as_instanceof_cause()) is cause
    assert str(ray_engine._sentence(ActorDiedError())).startswith("Ray could not go on (ActorDiedError)")


def test_only_the_loss_of_a_node_is_passed_on():
    notices: list[str] = []
    stream = ray_engine._Notices(notices.append)
    print("(raylet) Task failed. There are infinite retries remaining", file=stream)
    assert notices == []
    print("(raylet) The node with node id: 12 has been marked dead because", file=stream)
    assert notices == ["a Ray node was lost; the shards that it was reading are read again on another one"]


def test_a_cluster_that_does_not_answer_is_a_sentence(plan, monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        print("ray complains", file=sys.stderr)
        raise ConnectionError("ray://")

    monkeypatch.setattr(ray_engine.ray, "init", unreachable)
    monkeypatch.setattr(ray_engine, "_require_answer", lambda address: None)
    with pytest.raises(RayEngineError, match=r"no Ray cluster answers at '10\.0\.0\.9:6379'; start one with"):
        ray_engine.read_shards(plan, RayOptions("10.0.0.9:6379"), print, print)
    with pytest.raises(RayEngineError, match=r"Ray did not start on this machine; see the newest log files"):
        ray_engine.read_shards(plan, RayOptions(), print, print)


def test_a_closed_port_is_a_sentence_at_once(plan, monkeypatch):
    """Ray tries for five minutes and more, and is deaf to Ctrl-C meanwhile."""
    monkeypatch.setattr(ray_engine.ray, "init", lambda *_, **__: pytest.fail("Ray was asked"))
    with socket.socket() as closed:  # bound, and not listening
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(RayEngineError, match=f"no Ray cluster answers at '{address}'; start one with"):
            ray_engine.read_shards(plan, RayOptions(address), print, print)


def test_a_finished_run_starts_no_ray(plan, monkeypatch):
    read = reader_of(plan)
    for number in shards.pending(plan):
        read(batch(number))
    monkeypatch.setattr(ray_engine.ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    ray_engine.read_shards(plan, RayOptions(), print, print)

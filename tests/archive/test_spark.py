"""Spark reads a data set of results: needs Java and the package pyspark (300 MB), which no extra installs."""

from pathlib import Path

import pytest

from pneumoscope.archive import Options, shards
from pneumoscope.reader import Reader
from tests.archive.conftest import plan_of, read_all

pytestmark = pytest.mark.nightly


def test_spark_reads_rows_findings_and_heat_maps(folder: Path, reader: Reader) -> None:
    sql = pytest.importorskip("pyspark.sql")
    plan = plan_of(folder, reader, options=Options(maps=True))
    read_all(plan, reader)
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        frame = session.read.parquet(f"{plan.out}/{shards.READINGS}")
        (counts,) = frame.selectExpr("count(*)", "count(probability)", "count(error_kind)", "count(heat_map)").collect()
        assert tuple(counts) == (7, 6, 1, 6)
        assert frame.selectExpr("explode(findings) AS finding").selectExpr("finding.box.top").count() >= 0
    finally:
        session.stop()

"""The prediction log on the cluster that wrote it: care as a Ray job, and Ray Data."""

import shutil
import time
from pathlib import Path

import pytest

from deployments.prediction_log import reader

COUNT = """
import sys
import ray
from deployments.prediction_log.reader import files
print("rows:", ray.data.read_parquet(files(sys.argv[1])).count())
"""


@pytest.fixture
def old_log(stack, rows, tmp_path):
    """A log of one closed hour in many segments, as the stack's gateways write them."""
    log = Path(stack.settings.prediction_log)
    ids = []
    while len(segments := sorted(log.glob("predictions/model=credit_risk/version=1.0.0/*/*/*.parquet"))) < 2:
        ids.append(stack.predict(rows[0]).json()["prediction_id"])
        assert len(ids) < 2000, "no segment was written"
        time.sleep(0.1)
    hour = tmp_path / "log" / "predictions/model=credit_risk/version=1.0.0/date=2026-01-01/hour=00"
    hour.mkdir(parents=True)
    for segment in segments:
        shutil.copy(segment, hour)
    return tmp_path / "log"


def test_a_log_is_compacted_read_and_expired_by_jobs_on_the_cluster(job, old_log, tmp_path):
    before = reader.read(str(old_log)).num_rows
    job(f"-m ray_apps.prediction_log compact --uri {old_log}")
    assert len(list(old_log.rglob("*.parquet"))) == 1
    assert reader.read(str(old_log)).num_rows == before
    script = tmp_path / "count.py"
    script.write_text(COUNT)
    assert f"rows: {before}" in job(f"{script} {old_log}")
    job(f"-m ray_apps.prediction_log expire --days 30 --uri {old_log}")
    assert reader.read(str(old_log)).num_rows == 0

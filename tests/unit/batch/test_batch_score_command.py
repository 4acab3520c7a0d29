"""``python -m ray_apps.batch_score``, as far as it comes without a Ray."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def refused(scenario, shop_store):
    """Run it in vain: exit code, and what it says."""
    scenario.put("rows.parquet", scenario.table(10))

    def run(*arguments):
        places = ("--input", str(scenario.folder / "in"), "--output", str(scenario.folder / "out"))
        ended = subprocess.run(
            [sys.executable, "-m", "ray_apps.batch_score", *arguments, *places],
            env={
                **os.environ,
                "MODEL_PATH": str(shop_store.root),
                "RAYGATE_STATE_DIRECTORY": str(scenario.folder),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not (scenario.folder / "out").exists()
        return ended.returncode, json.loads(ended.stderr.splitlines()[-1])["message"]

    return run


def test_a_version_that_is_not_there_is_named_with_those_that_are(refused):
    code, said = refused("--model", "shop", "--version", "9.0.0")
    assert code == 1
    assert "9.0.0" in said
    assert "1.0.0, 1.1.0" in said


def test_a_job_without_model_and_endpoint_is_none(refused):
    assert refused("--version", "1.0.0") == (2, "--model: is required, or --endpoint")

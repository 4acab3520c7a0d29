"""``python -m ray_apps.batch_score``, as far as it comes without a Ray."""

import json
import os
import subprocess
import sys

import pytest

from deployments.runtime.signing_keys import KeyDirectory


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


def test_a_version_that_is_not_signed_is_refused_where_signatures_are_asked_for(refused, tmp_path, monkeypatch):
    keys = KeyDirectory(tmp_path / "signing-keys")
    keys.create()
    monkeypatch.setenv("RAYGATE_TRUSTED_KEYS", f"file:{keys.directory / 'trusted'}")
    code, said = refused("--model", "shop", "--version", "1.0.0")
    assert code == 1
    assert "v1.0.0 is refused: it is not signed, and a signature is required" in said

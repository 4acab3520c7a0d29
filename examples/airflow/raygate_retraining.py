"""Airflow: looks daily whether a model is to be trained anew, waits for what comes of it, and says it.

The tasks call the commands that people call, so Airflow needs nothing of Raygate but its command: an environment
of its own on the workers, which ``RAYGATE_COMMAND`` names. The variable is read when the DAG is parsed.
"""

from __future__ import annotations

import os
import shlex
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

RAYGATE = os.environ.get("RAYGATE_COMMAND", "raygate")
ENDPOINT = "{{ params.endpoint }}"


def raygate(*arguments: str) -> str:
    """A command line; templates stay as they are."""
    return " ".join([*map(shlex.quote, shlex.split(RAYGATE)), *arguments])


with DAG(
    dag_id="raygate_retraining",
    description="Train a model anew when it has aged, and offer what is better",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two would ask for the same run; the second is refused
    tags=["raygate"],
    # The pattern is that of endpoint names: the value goes into a command line.
    params={"endpoint": Param("credit-risk", type="string", pattern="^[a-z]([-a-z0-9]*[a-z0-9])?$")},
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
) as dag:
    look = BashOperator(
        task_id="look",
        bash_command=raygate("retrain", "look", ENDPOINT, "--wait"),
        do_xcom_push=False,
        execution_timeout=timedelta(hours=6),
        doc_md="Begins a run if a trigger is met, and waits for its result. A retry goes on with the same run.",
    )
    tell = BashOperator(
        task_id="tell",
        bash_command=raygate("retrain", "status", ENDPOINT, "--json"),
        do_xcom_push=False,
        doc_md="What began the latest run, what was found and on which numbers: in the log of the task.",
    )
    look >> tell

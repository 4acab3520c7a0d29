"""Batches on the stack's Ray: the same answers as online, whatever is killed meanwhile."""

import hashlib
import hmac
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from misbehaving_model import DIES_AT
from waiting import wait_until

from deployments.contracts.model_version import ModelVersion
from ray_apps.local.first_predictions import sample_rows

ROWS = 5000
WORKER = "ray::MapWorker(MapBatches(_Worker))"


@pytest.fixture(scope="module")
def places(stack):
    folder = stack.directory / "batches"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def table(stack):
    """Rows of the credit schema, numbers varied so that nearly all of them differ."""
    real = sample_rows(stack.settings.models, ModelVersion.parse("credit_risk_v1.0.0"), 500)
    random = np.random.default_rng(3)
    rows = []
    for number in range(ROWS):
        row = dict(real[number % len(real)])
        row["Amount"] = int(random.integers(100, 5000))
        rows.append({"customer": f"c{number}", **row})
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def input_file(places, table):
    path = places / "rows.parquet"
    pq.write_table(table, path)
    return path


def online(stack, table, **more):
    """Answers of the gateway to the same rows, 1,000 a request."""
    answers = []
    rows = table.drop_columns(["customer"]).to_pylist()
    for begin in range(0, len(rows), 1000):
        answer = stack.predict(rows[begin : begin + 1000], **more)
        assert answer.status_code == 200, answer.text
        answers += answer.json()["predictions"]
    return answers


def read(output):
    return pa.concat_tables([pq.read_table(path) for path in sorted(Path(output).glob("*.parquet"))])


def by_raygate(stack, job, *arguments):
    assert "5,000 of 5,000 rows, 0 rejected" in stack.raygate("batch", "submit", *arguments, "--wait").stdout


def by_ray_job_submit(stack, job, *arguments):
    assert "5000 rows scored, 0 rejected" in job(shlex.join(("-m", "ray_apps.batch_score", *arguments)))


@pytest.mark.parametrize(("version", "score"), [("1.0.0", by_raygate), ("1.1.0", by_ray_job_submit)])
def test_a_batch_says_what_the_gateway_says(stack, job, places, table, input_file, version, score):
    output = places / f"scored-{version}"
    places_of_rows = (f"--input={input_file}", f"--output={output}")
    score(stack, job, "--model=credit_risk", f"--version={version}", *places_of_rows)
    made = read(output).to_pylist()
    told = online(stack, table, model_version=version)
    assert [row["prediction"] for row in made] == [answer["prediction"] for answer in told]
    differences = [abs(row["probability"] - answer["probability"]) for row, answer in zip(made, told, strict=True)]
    assert max(differences) < 1e-6
    assert {row["model_version"] for row in made} == {version}


def test_a_split_endpoint_gives_every_unit_its_version(stack, places, table):
    few = table.slice(0, 150)
    pq.write_table(few, places / "few.parquet")
    stack.raygate(
        "batch", "submit", "--endpoint", "credit-risk", "--header-column", "x-user-id=customer",
        "--input", str(places / "few.parquet"), "--output", str(places / "split"), "--wait",
    )  # fmt: skip
    made = {row["customer"]: row["model_version"] for row in read(places / "split").to_pylist()}
    for row in few.to_pylist():
        customer = row.pop("customer")
        answer = stack.predict(row, headers={"x-user-id": customer})
        assert answer.json()["model_version"] == made[customer]
    assert set(made.values()) == {"1.0.0", "1.1.0"}


def test_an_input_that_lacks_a_feature_is_told_and_nothing_written(stack, places, table):
    pq.write_table(table.slice(0, 10).drop_columns(["Amount"]), places / "lacking.parquet")
    rows = (f"--input={places / 'lacking.parquet'}", f"--output={places / 'lacking'}")
    done = stack.raygate("batch", "submit", "--model=credit_risk", "--version=1.0.0", *rows, "--wait", check=False)
    assert done.returncode == 1
    assert "failed: lacking.parquet: column Amount: is missing" in done.stdout
    assert not (places / "lacking").exists()


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.headers, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def receiver(stack):
    server = HTTPServer(("127.0.0.1", stack.callback_port), _Receiver)
    server.got = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_over_http_with_a_key_and_a_signed_callback(stack, places, input_file, receiver):
    document = {
        "model_id": "credit-risk",
        "input_file": str(input_file),
        "output_file": str(places / "http"),
        "callback_url": f"http://127.0.0.1:{receiver.server_address[1]}/done",
    }
    url = f"{stack.api_url}/api/v1/batch-predict"
    headers = {**stack.headers, "idempotency-key": "monday"}
    first = httpx.post(url, json=document, headers=headers, timeout=60)
    assert first.status_code == 202, first.text
    job_id = first.json()["job_id"]
    assert httpx.post(url, json=document, headers=headers, timeout=60).json()["job_id"] == job_id

    def end():
        told = httpx.get(f"{url}/{job_id}", headers=stack.headers, timeout=60).json()
        return told if told["status"] not in ("queued", "running") else None

    told = wait_until(end, 90)
    assert (told["status"], told["progress"]["rows"], told["error"]) == ("succeeded", ROWS, "")
    sent, body = wait_until(lambda: receiver.got, 90)[0]
    signed = hmac.new(b"secret", sent["x-raygate-timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert sent["x-raygate-signature"] == f"sha256={signed}"
    assert json.loads(body)["status"] == "succeeded"
    assert json.loads(body)["job_id"] == job_id
    assert job_id in stack.raygate("batch", "list").stdout


@pytest.fixture(scope="module")
def long_input(places, table):
    """Half a million rows in 100 row groups."""
    path = places / "long.parquet"
    many = pa.concat_tables([table] * 100).drop_columns(["customer"])
    pq.write_table(many.append_column("customer", pa.array(np.arange(many.num_rows))), path, row_group_size=ROWS)
    return path


def start(stack, input_file, output):
    """The job as a process of its own on the stack's Ray; its log is beside the output."""
    command = [sys.executable, "-m", "ray_apps.batch_score", "--model", "credit_risk", "--version", "1.0.0"]
    command += ["--input", str(input_file), "--output", str(output), "--rows-per-file", str(ROWS)]
    environment = {**stack.environment, "RAY_ADDRESS": f"127.0.0.1:{stack.settings.ray_port}"}
    with Path(f"{output}.log").open("w") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def workers_of(stack):
    """Processes of this stack that score units."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["cmdline"] or [""])[0].startswith(WORKER)
        and (process.info["environ"] or {}).get("RAYGATE_STATE_DIRECTORY") == str(stack.settings.state)
    ]


def commits(output):
    return list((output / "_raygate" / "commits").glob("*.json"))


def has_every_row_once(output):
    made = read(output)
    assert sorted(made["customer"].to_pylist()) == list(range(100 * ROWS))
    assert len(set(made["prediction_id"].to_pylist())) == 100 * ROWS
    assert json.loads((output / "_SUCCESS").read_text())["rows"] == 100 * ROWS


def test_a_killed_driver_is_run_again_and_no_row_is_lost_or_doubled(stack, places, long_input):
    output = places / "killed-driver"
    driver = start(stack, long_input, output)
    wait_until(lambda: len(commits(output)) >= 10, 90)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not (output / "_SUCCESS").exists()
    for path in output.glob("*.parquet"):
        assert pq.read_table(path).num_rows == ROWS
    again = start(stack, long_input, output)
    assert again.wait(120) == 0, Path(f"{output}.log").read_text()
    has_every_row_once(output)


def test_a_killed_worker_is_replaced_and_its_unit_done_again(stack, places, long_input):
    output = places / "killed-worker"
    driver = start(stack, long_input, output)
    wait_until(lambda: len(commits(output)) >= 5, 90)
    workers = workers_of(stack)
    assert workers
    for process in workers:
        process.send_signal(signal.SIGKILL)
    assert driver.wait(120) == 0, Path(f"{output}.log").read_text()
    has_every_row_once(output)


def test_rows_that_kill_every_worker_end_the_job_and_say_so(stack, places, table, misbehaving):
    ages = pa.array([DIES_AT] * 10, table.schema.field("Age").type)
    pq.write_table(
        table.slice(0, 10).set_column(table.schema.get_field_index("Age"), "Age", ages), places / "d.parquet"
    )
    rows = (f"--input={places / 'd.parquet'}", f"--output={places / 'deadly'}")
    model = ("--model=credit_risk", f"--version={misbehaving}")
    done = stack.raygate("batch", "submit", *model, *rows, "--wait", check=False)
    assert done.returncode == 1
    assert "workers died 6 times at the same rows" in done.stdout
    assert not (places / "deadly" / "_SUCCESS").exists()


def test_a_cancelled_batch_says_so(stack, places, long_input):
    output = places / "cancelled"
    said = stack.raygate(
        "batch", "submit", "--model", "credit_risk", "--version", "1.1.0", "--rows-per-file", str(ROWS),
        "--input", str(long_input), "--output", str(output),
    ).stdout  # fmt: skip
    job_id = said.split()[0]
    wait_until(lambda: len(commits(output)) >= 2, 90)
    stack.raygate("batch", "cancel", job_id)
    wait_until(lambda: "cancelled" in stack.raygate("batch", "status", job_id).stdout, 90)
    assert not (output / "_SUCCESS").exists()

"""A batch on a Ray of two nodes, here two ``ray start`` of one machine with a CPU each."""

import json
import os
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import Task
from deployments.runtime.model_store import ModelStore
from ray_apps.local.ray_cluster import program
from ray_apps.settings import Settings
from ray_apps.train import signing_key
from training import feature_schema, packaging, served_model

ROWS, UNITS = 800_000, 16
UP_SECONDS = 40
NODE = (
    "start", "--block", "--num-cpus=1", "--object-store-memory=80000000",
    "--dashboard-agent-listen-port=0", "--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats",
    "--include-log-monitor=false",
)  # fmt: skip
HEAD = ("--head", "--include-dashboard=false", "--no-monitor")


def free_ports(count):
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


@contextmanager
def ray_node(log, *options):
    """A node, once it is up; gives the process of its raylet."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "DASHBOARD_METRIC_PORT": "0"}
    with log.open("w") as said:
        node = psutil.Popen([program("ray"), *NODE, *options], env=environment, stdout=said, stderr=said)
    try:
        give_up = time.monotonic() + UP_SECONDS
        while "Ray runtime started." not in log.read_text():
            assert node.status() != psutil.STATUS_ZOMBIE, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        (raylet,) = [one for one in node.children() if one.name() == "raylet"]
        yield raylet
    finally:
        for process in (*node.children(recursive=True), node):
            with suppress(psutil.NoSuchProcess):
                process.kill()  # asked to end, a node takes ten seconds and more
        node.wait()


@pytest.fixture(scope="module")
def two_nodes():
    """Address of a Ray of two nodes, and the raylets of both."""
    with tempfile.TemporaryDirectory(prefix="ray-") as folder, ExitStack() as nodes:
        port, client_port = free_ports(2)
        options = (*HEAD, f"--port={port}", f"--ray-client-server-port={client_port}", f"--temp-dir={folder}/ray")
        head = nodes.enter_context(ray_node(Path(folder) / "head.log", *options))
        second = nodes.enter_context(ray_node(Path(folder) / "second.log", f"--address=127.0.0.1:{port}"))
        yield f"127.0.0.1:{port}", (head, second)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A state directory whose model store holds one small model, signed: workers ask for that."""
    directory = tmp_path_factory.mktemp("state")
    random = np.random.default_rng(5)
    rows = pd.DataFrame({"age": random.integers(18, 80, 300), "income": random.normal(3000, 900, 300)})
    target = np.where(rows["age"] > 45, "yes", "no")
    fitted = served_model.FittedModel(
        ModelVersion.parse("shop_v1.0.0"),
        LogisticRegression(max_iter=500).fit(rows, target),
        feature_schema.infer(rows),
        Task.BINARY,
        ("no", "yes"),
        family="logistic_regression",
    )
    served = served_model.choose_path(fitted, rows, rows)
    store = ModelStore(directory / "models")
    key = signing_key(Settings(state_directory=directory))
    packaging.build_package(served, store, rows, served_model.describe(served, rows, rows), None, key)
    return directory


@pytest.fixture(scope="module")
def input_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("input") / "rows.parquet"
    random = np.random.default_rng(6)
    numbers = {"age": random.integers(18, 80, ROWS), "income": random.normal(3000, 900, ROWS)}
    pq.write_table(pa.table({"row": np.arange(ROWS), **numbers}), path, row_group_size=ROWS // UNITS)
    return path


def writing_to(output, raylets):
    """Those workers of some nodes that have a file of the output open at this moment."""
    found = []
    for raylet in raylets:
        for worker in raylet.children():
            with suppress(psutil.NoSuchProcess):
                if any(Path(file.path).parent == output for file in worker.open_files()):
                    found.append(worker)
    return found


@contextmanager
def batch(address, state, input_file, output):
    """The driver of a batch, and what it says."""
    command = [sys.executable, "-m", "ray_apps.batch_score", "--model", "shop", "--version", "1.0.0"]
    command += ["--input", str(input_file), "--output", str(output), "--rows-per-file", str(ROWS // UNITS)]
    environment = {**os.environ, "RAY_ADDRESS": address, "RAYGATE_STATE_DIRECTORY": str(state)}
    log = output.with_name("log")
    with log.open("w") as said:
        driver = psutil.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        yield driver, log
    finally:
        with suppress(psutil.NoSuchProcess):
            driver.kill()
        driver.wait()


def wait_until(condition, driver, log, seconds=60):
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        assert driver.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.02)
    return found


def check_every_row_is_there_once(output):
    made = pq.read_table(sorted(output.glob("*.parquet")), columns=["row", "prediction_id"])
    assert made["row"].to_pylist() == list(range(ROWS))
    assert len(made["prediction_id"].unique()) == ROWS
    assert len(json.loads((output / "_SUCCESS").read_text())["files"]) == UNITS


def test_both_nodes_score_and_together_write_every_row_once(two_nodes, state, input_file, tmp_path):
    """Whoever writes first is held until the other node writes too: alone it could do all before that is up."""
    address, raylets = two_nodes
    output = tmp_path / "out"
    with batch(address, state, input_file, output) as (driver, log):
        (first, *_) = wait_until(lambda: writing_to(output, raylets), driver, log)
        first.suspend()
        try:
            others = [raylet for raylet in raylets if raylet.pid != first.ppid()]
            wait_until(lambda: writing_to(output, others), driver, log)
        finally:
            first.resume()
        driver.wait(120)
    assert driver.returncode == 0, log.read_text()
    check_every_row_is_there_once(output)


TAKES_A_CPU = """
import ray, sys
ray.init(log_to_driver=False)
taken = ray.util.placement_group([{"CPU": 1}])
ray.get(taken.ready())
print("taken", flush=True)
sys.stdin.read()
"""


@contextmanager
def one_cpu_taken(address):
    """Somebody else has one of the two CPUs; gives what makes him leave."""
    environment = {**os.environ, "RAY_ADDRESS": address, "RAY_AUTH_MODE": "disabled"}
    command = [sys.executable, "-c", TAKES_A_CPU]
    with psutil.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) as somebody:
        assert somebody.stdout.readline() == "taken\n"
        yield somebody.stdin.close


def test_the_workers_become_more_when_somebody_else_leaves(two_nodes, state, input_file, tmp_path):
    """The first is held until the second writes: alone it could do all before Ray Data has made another."""
    address, raylets = two_nodes
    output = tmp_path / "out"
    with one_cpu_taken(address) as leave, batch(address, state, input_file, output) as (driver, log):
        (first,) = wait_until(lambda: writing_to(output, raylets), driver, log)
        first.suspend()
        try:
            leave()
            wait_until(lambda: [worker for worker in writing_to(output, raylets) if worker != first], driver, log)
        finally:
            first.resume()
        driver.wait(120)
    assert driver.returncode == 0, log.read_text()
    check_every_row_is_there_once(output)


def test_the_loss_of_a_node_in_the_middle_loses_no_row_and_doubles_none(two_nodes, state, input_file, tmp_path):
    """The last test of the module: its second node is gone afterwards."""
    address, (_, second) = two_nodes
    output = tmp_path / "out"
    with batch(address, state, input_file, output) as (driver, log):
        wait_until(lambda: writing_to(output, [second]), driver, log)
        second.kill()
        driver.wait(120)
    assert driver.returncode == 0, log.read_text()
    check_every_row_is_there_once(output)

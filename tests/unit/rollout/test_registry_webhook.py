"""MLflow's webhooks ask for a look at the registry, and for nothing else."""

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
import socket
import threading
import time

import httpx
import mlflow_server
import pytest
from rollout_examples import NAME, TWO_STEPS, V2, World
from served_api import served

from deployments.rollout.challenger_watch import ACTOR, ChallengerWatch
from ray_apps import admin_api
from ray_apps.champion_alias import MlflowRegistry
from ray_apps.controller import Duty, attend
from ray_apps.registry_webhook import PATH, RegistryWebhook
from ray_apps.settings import Settings

SECRET = "shared with MLflow"
NOW = 1_795_000_000.0


def event(alias="challenger", model="credit_risk", entity="model_version_alias"):
    data = {"name": model, "alias": alias, "version": "666"}
    return {"entity": entity, "action": "created", "timestamp": "2026-11-21T12:00:00+00:00", "data": data}


def signed(body, secret=SECRET, at=NOW, delivery="d-1"):
    content = f"{delivery}.{at:.0f}.".encode() + body
    signature = base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    return {
        "x-mlflow-delivery-id": delivery,
        "x-mlflow-timestamp": f"{at:.0f}",
        "x-mlflow-signature": f"v1,{signature}",
    }


async def behind(scope, receive, send):
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def exchange(api, method, path, **more):
    """One request to an application."""

    async def ask():
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
            return await client.request(method, path, **more)

    return asyncio.run(ask())


@pytest.fixture
def looks():
    """One entry for each look that was asked for."""
    return []


@pytest.fixture
def post(monkeypatch, looks):
    monkeypatch.setenv("REGISTRY_SECRET", SECRET)
    api = RegistryWebhook(behind, "env:REGISTRY_SECRET", lambda: looks.append("look"), lambda: NOW)

    def send(body, headers, path=PATH):
        return exchange(api, "POST", path, content=body, headers=headers)

    return send


def test_a_move_of_the_challenger_asks_for_a_look_each_time_it_is_told(post, looks):
    body = json.dumps(event()).encode()
    answers = [post(body, signed(body)) for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"looks": True})] * 2
    assert looks == ["look", "look"]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(event(alias="champion"), id="another-alias"),
        pytest.param(event(entity="model_version"), id="a-new-version"),
        pytest.param({"entity": "prompt", "action": "created", "data": {"name": "x"}}, id="a-prompt"),
    ],
)
def test_other_events_are_taken_and_ask_for_nothing(post, looks, told):
    body = json.dumps(told).encode()
    assert (post(body, signed(body)).status_code, looks) == (202, [])


BODY = json.dumps(event()).encode()


@pytest.mark.parametrize(
    ("body", "headers", "status", "details"),
    [
        pytest.param(BODY, {}, 401, "missing: x-mlflow-signature", id="unsigned"),
        pytest.param(
            BODY, signed(BODY, "another"), 401, "does not fit the body and the secret", id="another-secret"
        ),
        pytest.param(BODY + b" ", signed(BODY), 401, "does not fit the body", id="another-body"),
        pytest.param(
            BODY, {**signed(BODY), "x-mlflow-delivery-id": "d-2"}, 401, "does not fit", id="another-delivery"
        ),
        pytest.param(BODY, signed(BODY, at=NOW - 301), 401, "more than 300 seconds", id="old"),
        pytest.param(BODY, signed(BODY, at=NOW + 301), 401, "more than 300 seconds", id="of-the-future"),
        pytest.param(b"[]", signed(b"[]"), 400, "no webhook of MLflow", id="no-object"),
        pytest.param(b"{", signed(b"{"), 400, "no webhook of MLflow", id="no-json"),
        pytest.param(b" " * 70_000, signed(b" " * 70_000), 413, "at most 65536 bytes", id="large"),
    ],
)
def test_what_mlflow_did_not_send_is_refused_and_asks_for_nothing(post, looks, body, headers, status, details):
    answer = post(body, headers)
    assert (answer.status_code, details in answer.json()["details"], looks) == (status, True, [])


def test_a_secret_that_was_rotated_is_the_one_that_counts(post, looks, monkeypatch):
    monkeypatch.setenv("REGISTRY_SECRET", "rotated")
    assert post(BODY, signed(BODY)).status_code == 401
    assert post(BODY, signed(BODY, "rotated")).status_code == 202


def test_everything_else_goes_on_to_access_control(post):
    assert post(BODY, signed(BODY), "/api/v1/admin/endpoints").status_code == 418


@pytest.mark.parametrize(
    ("secret", "status"),
    [
        pytest.param(None, 404, id="no-secret-no-path"),
        pytest.param("env:REGISTRY_SECRET", 202, id="with-a-secret"),
    ],
)
def test_the_controller_takes_webhooks_where_a_secret_is_set(tmp_path, monkeypatch, secret, status):
    monkeypatch.setenv("REGISTRY_SECRET", SECRET)
    settings = Settings(state_directory=tmp_path, registry_secret=secret)
    api = admin_api.build(settings, look_at_registry=lambda: None)
    assert exchange(api, "POST", PATH, content=BODY, headers=signed(BODY, at=time.time())).status_code == status


def test_a_real_mlflow_starts_the_rollout_at_once(tmp_path, empty_database, monkeypatch):
    import mlflow

    shutil.copy(empty_database, tmp_path / "mlflow.db")
    for name, value in {"REGISTRY_SECRET": SECRET, "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
                        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with mlflow_server.running(tmp_path, port) as uri:
        client = mlflow.MlflowClient(uri, uri)
        client.create_registered_model("credit_risk")
        tags = {"raygate.version": "1.1.0"}
        made = client.create_model_version("credit_risk", "s3://models/credit_risk", tags=tags)
        world = World.with_plan(f"{TWO_STEPS}, startOn: challenger")
        watch = ChallengerWatch(tmp_path / "control.db", MlflowRegistry(uri), world.service, world.store.endpoints)
        watch.look()  # nothing was named before
        duty, stopping = Duty("challengers", watch.look, pause_seconds=3600.0), threading.Event()
        thread = threading.Thread(target=attend, args=(duty, stopping))
        thread.start()
        with served(RegistryWebhook(behind, "env:REGISTRY_SECRET", duty.woken.set)) as address:
            events = ["model_version_alias.created", "model_version_alias.deleted"]
            client.create_webhook("raygate", address + PATH, events, secret=SECRET)
            moved = time.monotonic()
            client.set_registered_model_alias("credit_risk", "challenger", made.version)
            while NAME not in world.store.rollouts():
                assert time.monotonic() - moved < 20, (tmp_path / "log").read_text()
                time.sleep(0.02)
            print(f"begun {time.monotonic() - moved:.2f} s after the alias moved")
        stopping.set()
        duty.woken.set()
        thread.join(20)
    assert (world.rollout.candidate, world.rollout.started_by) == (V2, ACTOR)

"""A small scenario for users: callers that keep their version, single rows mostly, now and then a list, feedback.

With the stack up (``make serve``):

    .venv/bin/locust -f tests/performance/locustfile.py --host http://127.0.0.1:8000

Its page is on http://localhost:8089; ``--headless -u 50 -r 10 -t 1m`` does without. The credential is
RAYGATE_API_KEY, else the local key of the stack in RAYGATE_STATE_DIRECTORY (``.raygate``). locust itself is
slower than the stack: for capacity use ``make bench``.
"""

from __future__ import annotations

import os
import random
import uuid
from collections import deque
from pathlib import Path
from typing import Any

from locust import HttpUser, between, task

MODEL = "credit-risk"
PREDICT, FEEDBACK = "/api/v1/predict", "/api/v1/feedback"
LIST_ROWS = 20
REMEMBERED = 100


def credential() -> dict[str, str]:
    """The header of the caller's key; none where the stack asks for none."""
    key_file = Path(os.environ.get("RAYGATE_STATE_DIRECTORY", ".raygate")) / "local.key"
    key = os.environ.get("RAYGATE_API_KEY") or (key_file.read_text().strip() if key_file.exists() else "")
    return {"authorization": f"Bearer {key}"} if key else {}


def application() -> dict[str, Any]:
    """A credit application; income and assets are missing at times, as in the data."""
    amount = random.randint(200, 3000)
    return {
        "Seniority": random.randint(0, 30),
        "Home": random.choice(["rent", "owner", "parents", "priv", None]),
        "Time": random.choice([12, 24, 36, 48, 60]),
        "Age": random.randint(18, 68),
        "Marital": random.choice(["married", "single", "separated"]),
        "Records": random.choice(["no", "no", "no", "yes"]),
        "Job": random.choice(["fixed", "freelance", "partime"]),
        "Expenses": random.randint(35, 120),
        "Income": random.choice([None, float(random.randint(50, 400))]),
        "Assets": random.choice([None, float(random.randint(0, 20_000))]),
        "Debt": 0.0,
        "Amount": amount,
        "Price": amount + random.randint(0, 1500),
    }


class Caller(HttpUser):
    """One user: the same ``x-user-id`` all the time, so always the same version."""

    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        self.client.headers.update({**credential(), "x-user-id": str(uuid.uuid4())})
        self.version: str | None = None
        self.predictions: deque[str] = deque(maxlen=REMEMBERED)

    @task(20)
    def one_row(self) -> None:
        body = {"model_id": MODEL, "features": application()}
        with self.client.post(PREDICT, json=body, catch_response=True, name="predict, one row") as answer:
            if not answer.ok:
                answer.failure(answer.text)
                return
            said = answer.json()
            self.predictions.append(said["prediction_id"])
            if self.version not in (None, said["model_version"]):
                answer.failure(f"moved from {self.version} to {said['model_version']}")
            self.version = said["model_version"]

    @task(3)
    def list_of_rows(self) -> None:
        body = {"model_id": MODEL, "features": [application() for _ in range(LIST_ROWS)]}
        self.client.post(PREDICT, json=body, name=f"predict, {LIST_ROWS} rows")

    @task(4)
    def feedback(self) -> None:
        """What became of an earlier prediction: most borrowers pay."""
        if not self.predictions:
            return
        prediction_id = self.predictions.popleft()
        body = {"prediction_id": prediction_id, "label": "bad" if random.random() < 0.3 else "good"}
        headers = {"Idempotency-Key": prediction_id}
        self.client.post(FEEDBACK, json=body, headers=headers, name="feedback")

    @task(1)
    def health(self) -> None:
        self.client.get("/health")

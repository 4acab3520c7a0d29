"""A small scenario for users: callers that keep their version, single rows mostly, now and then a list.

locust is not among Raygate's dependencies. With the stack up (``make serve``):

    uvx locust -f tests/performance/locustfile.py --host http://127.0.0.1:8000

or ``pip install locust`` in an environment of its own, then the same without ``uvx``. Its page is on
http://localhost:8089; ``--headless -u 50 -r 10 -t 1m`` does without. locust itself is slower than the stack: for
capacity use ``make bench``.
"""

import random
import uuid

from locust import HttpUser, between, task

MODEL = "credit-risk"
PREDICT = "/api/v1/predict"


def row():
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

    def on_start(self):
        self.client.headers["x-user-id"] = str(uuid.uuid4())
        self.version = None

    @task(20)
    def one_row(self):
        body = {"model_id": MODEL, "features": row()}
        with self.client.post(PREDICT, json=body, catch_response=True, name="predict, one row") as answer:
            if not answer.ok:
                answer.failure(answer.text)
                return
            version = answer.json()["model_version"]
            if self.version not in (None, version):
                answer.failure(f"moved from {self.version} to {version}")
            self.version = version

    @task(3)
    def twenty_rows(self):
        body = {"model_id": MODEL, "features": [row() for _ in range(20)]}
        self.client.post(PREDICT, json=body, name="predict, 20 rows")

    @task(1)
    def health(self):
        self.client.get("/health")

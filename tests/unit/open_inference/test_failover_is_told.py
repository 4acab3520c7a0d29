"""Who is answered in another version's place is told so, as by ``/api/v1/predict``."""

import httpx

INPUTS = [
    {"name": "Age", "datatype": "FP64", "shape": [1], "data": [30]},
    {"name": "Owner", "datatype": "BOOL", "shape": [1], "data": [True]},
]
CANDIDATE = 0.95


def infer(server):
    return httpx.post(f"{server.url}/v2/models/credit-risk/infer", json={"inputs": INPUTS}).json()


def test_the_answer_names_the_version_that_could_not(serve):
    with serve(draw=CANDIDATE) as server:
        server.pools["credit_risk_v1.1.0"].failures = [ConnectionError("down")] * 20
        answer = infer(server)
    assert (answer["model_version"], answer["parameters"]) == ("1.0.0", {"failover_from": "1.1.0"})


def test_an_answer_as_it_should_be_has_no_parameters(serve):
    with serve(draw=CANDIDATE) as server:
        answer = infer(server)
    assert (answer["model_version"], "parameters" in answer) == ("1.1.0", False)

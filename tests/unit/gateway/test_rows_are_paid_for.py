"""A caller pays for rows that a model is asked about, whatever the protocol, and for no others."""

import pytest

from deployments.access.access import Access
from deployments.access.caller import Caller
from deployments.access.policy import CallLimit, CallLimits
from deployments.access.roles import Role

TWO_ROWS = {"max_rows": 2}


class Predictor:
    def authenticate(self, headers, in_browser=False):
        return Caller.with_role("shop", Role.PREDICTOR, "key:1")


@pytest.fixture
def shop():
    """Access of a shop that may send two rows a day."""
    return Access(Predictor(), CallLimits(callers={"shop": CallLimit(rows_per_day=2)}))


async def by_predict(stack, row, rows, **fields):
    return await stack.predict([row] * rows, **fields)


async def by_tensors(stack, row, rows, version=""):
    kinds = {"Income": "FP64", "Age": "FP64", "Owner": "BOOL", "Job": "BYTES"}
    inputs = [
        {"name": name, "datatype": kind, "shape": [rows], "data": [row[name]] * rows}
        for name, kind in kinds.items()
    ]
    return await stack.request("POST", f"/v2/models/credit-risk{version}/infer", json={"inputs": inputs})


@pytest.mark.parametrize("send", [by_predict, by_tensors])
def test_what_is_refused_for_its_size_costs_nothing(play, row, shop, send):
    async def scenario(stack):
        assert (await send(stack, row, 3)).status_code == 422
        assert (await send(stack, row, 2)).status_code == 200

    play(scenario, access=shop, **TWO_ROWS)


def test_a_version_that_the_caller_may_not_ask_for_costs_nothing(play, row, shop):
    async def scenario(stack):
        assert (await by_predict(stack, row, 2, model_version="1.1.0")).status_code == 403
        assert (await by_tensors(stack, row, 2, "/versions/1.1.0")).status_code == 403
        assert (await by_predict(stack, row, 2)).status_code == 200

    play(scenario, access=shop)


@pytest.mark.parametrize("send", [by_predict, by_tensors])
def test_rows_beyond_the_day_are_refused_and_are_no_versions_failure(play, row, shop, send):
    async def scenario(stack):
        assert (await send(stack, row, 2)).status_code == 200
        assert (await send(stack, row, 1)).status_code == 429
        counted = {version: dict(counts.requests) for (_, version), counts in stack.counters._versions.items()}
        assert {name: codes for name, codes in counted.items() if codes} == {
            "1.0.0": {"OK": 1},
            "none": {"QUOTA_EXCEEDED": 1},
        }

    play(scenario, access=shop)

"""No input gives a 500 at the controller's admin API, and every answer is as its document says."""

from datetime import UTC, datetime

import pytest
import schemathesis
from admin_doubles import MemoryControl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from role_callers import ByName, Recorder
from rollout_examples import NAME, World
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance, unsupported_method

from deployments.access.access import Access
from deployments.rollout.reloads import Reloads
from ray_apps.admin_api import guarded

OPERATOR = {"authorization": "Bearer admin"}
NOT_CHECKED = [
    ignored_auth,  # it takes the credential of the call's headers for none
    positive_data_acceptance,  # the document cannot say which endpoints there are, nor what an endpoint's file is
    unsupported_method,  # what the table of access does not list is refused by name
]


@pytest.fixture
def schema(tmp_path):
    world = World.with_plan("steps: [{pause: approval}, {weight: 10}]")
    reloads = Reloads(tmp_path / "endpoints.db", lambda actor: {}, lambda: datetime.now(UTC))
    api = guarded(world.service, MemoryControl(world.store), Access(ByName(), audit=Recorder()), reloads=reloads)
    return schemathesis.openapi.from_asgi("/openapi.json", api, headers=OPERATOR)


def cases(operation):
    """What fits the document and what does not; of an endpoint that is there, too."""
    found = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.body or operation.query:
        found |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return st.tuples(found, st.booleans())


def test_schemathesis_finds_no_input_that_breaks_the_admin_api(schema):
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 12
    for operation in operations:

        @given(drawn=cases(operation))
        @settings(
            max_examples=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            database=None,
        )
        def every_answer_is_as_documented(drawn):
            case, is_known = drawn
            if is_known and "endpoint" in (case.path_parameters or {}):
                case.path_parameters["endpoint"] = NAME
            case.call_and_validate(headers=OPERATOR, excluded_checks=NOT_CHECKED)

        every_answer_is_as_documented()

import pytest
from rollout_examples import NAME, World, counted

from deployments.contracts.verdict import Outcome
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.commands import Command
from deployments.rollout.errors import CommandRefused, ReplayFailed
from deployments.rollout.state import Phase
from deployments.rollout.statistics.sample import Sample

PLAN = (
    "steps: [{replay: 24h, minRows: 100, minLabels: 100}, {weight: 10, hold: 60s}], "
    "analysis: {interval: 15s, minRequests: 100, errorLimit: 3}"
)


@pytest.fixture
def world():
    world = World.with_plan(PLAN)
    world.service.start(NAME, None, "ann")
    return world


def right(share, count=1000):
    return Sample.of([1.0] * round(share * count) + [0.0] * (count - round(share * count)))


def test_while_a_replay_runs_no_caller_gets_an_answer_of_the_candidate(world):
    controller = world.controller()
    world.go(controller, 120, counted(0))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.PROGRESSING, 0)
    assert world.rollout.state.verdict.reason() == "replay: 0 rows so far"
    assert {name for name, _ in world.replays.asked} == {world.rollout.name}


@pytest.mark.parametrize(
    ("replayed", "weight", "phase", "told"),
    [
        pytest.param(Replayed(True, "", 1000, 20), 10, Phase.PROGRESSING, "", id="agrees"),
        pytest.param(
            Replayed(True, "", 1000, 300),
            0,
            Phase.PAUSED,
            "300 of 1000 logged requests get another label",
            id="differs",
        ),
        pytest.param(Replayed(True, "", 50, 0), 0, Phase.PROGRESSING, "", id="too-few"),
        pytest.param(Replayed(True, "nothing was logged"), 0, Phase.PROGRESSING, "", id="nothing-logged"),
        pytest.param(
            Replayed(True, "", 1000, 20, right(0.7), right(0.9)),
            0,
            Phase.PAUSED,
            "accuracy 0.7 against 0.9",
            id="worse",
        ),
        pytest.param(
            Replayed(True, "", 1000, 20, right(0.9), right(0.9)), 10, Phase.PROGRESSING, "", id="as-good-on-labels"
        ),
    ],
)
def test_what_the_replay_says_decides_the_first_weight(world, replayed, weight, phase, told):
    world.replays.outcome = replayed
    world.go(world.controller(), 50, counted(0))
    assert (world.traffic.weight, world.rollout.state.phase) == (weight, phase)
    assert told in world.rollout.state.reason


def test_a_replay_that_fails_again_and_again_ends_the_rollout(world):
    def failing(rollout, step):
        raise ReplayFailed("batch-1", "its process ended")

    world.replays.look = failing
    world.go(world.controller(), 120, counted(0))
    assert world.rollout.state.phase is Phase.ROLLED_BACK
    assert "3 errors one after another, the last: the replay batch-1 failed" in world.rollout.state.reason


def test_nobody_promotes_past_a_replay(world):
    with pytest.raises(CommandRefused, match="asks for a replay before the end"):
        world.service.obey(NAME, Command.PROMOTE, "bob")


def test_a_replay_between_weights_leaves_the_candidate_under_judgement():
    world = World.with_plan(PLAN.replace("[{replay", "[{weight: 5, hold: 30s}, {replay"))
    world.service.start(NAME, None, "ann")
    controller = world.controller()
    world.go(controller, 90, counted(100))
    assert (world.rollout.state.step, world.traffic.weight) == (1, 5)
    world.go(controller, 60, counted(100, failed=30))
    assert (world.rollout.state.phase, world.traffic.weight) == (Phase.ROLLED_BACK, 0)
    findings = {found.check: found.outcome for found in world.rollout.state.verdict.findings}
    assert (findings["replay"], findings["error-rate"]) == (Outcome.INCONCLUSIVE, Outcome.UNHEALTHY)

"""``raygate replay``: logged requests through a version that is packaged, before anybody gets its answers."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer
from pydantic import ValidationError

from deployments.contracts.errors import RaygateError, UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.contracts.rollout_plan import ReplayStep, RolloutPlan
from deployments.contracts.verdict import Finding, Outcome
from ray_apps.cli import batch_options, console, person, replay_options
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.rollout.analysis.replay import Replayed
    from deployments.rollout.endpoint_store import WantedEndpoint
    from ray_apps.replays import Replays, WantedReplay

DEFAULT_HOURS = 24.0
EXIT_CODES = {Outcome.HEALTHY: 0, Outcome.UNHEALTHY: 1, Outcome.INCONCLUSIVE: 3}
"""Too little to say is not health. 2 is that of a wrong command line."""
POLL_SECONDS = 1.0
_STOP_SECONDS = 15.0


def replay(
    endpoint: replay_options.Endpoint,
    version: replay_options.AnyVersion,
    hours: replay_options.Hours = None,
    since: batch_options.Moment = None,
    until: batch_options.Moment = None,
    limit_disagreement: replay_options.LimitDisagreement = None,
    limit_drop: replay_options.LimitDrop = None,
    min_rows: replay_options.MinRows = None,
    min_labels: replay_options.MinLabels = None,
    output: replay_options.Output = None,
    as_json: replay_options.Json = False,
) -> None:
    """Let a version answer logged requests, and compare with stable; no traffic moves. Exit code 1: unhealthy."""
    from deployments.rollout.analysis import replay as analysis
    from ray_apps.replays import Replays, WantedReplay

    settings, candidate, now = Settings(), Version.parse(version), datetime.now(UTC)
    wanted = _wanted(settings, endpoint)
    begin, end = window(hours, since, until, now)
    plan, policy = wanted.document.spec.rollout, wanted.policy
    limits = {"limitDisagreement": limit_disagreement, "limitDrop": limit_drop}
    step = terms(plan, end - begin, {**limits, "minRows": min_rows, "minLabels": min_labels})
    name = f"{endpoint}-{candidate}-{now:%Y%m%dT%H%M%S%f}Z"
    with _answers(settings, name, output) as answers:
        asked = WantedReplay(name, policy.model, policy.stable, candidate, begin, end, answers)
        replayed = _awaited(Replays(settings, person.at_this_machine()), asked, quiet=as_json)
    finding = analysis.judge(step, replayed, 1 - plan.analysis.confidence)
    _show(asked, step, replayed, finding, as_json)
    raise typer.Exit(EXIT_CODES[finding.outcome])


def window(
    hours: float | None, since: datetime | None, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The span of time that is asked for.

    Args:
        hours: Its length; None where ``since`` says it, or for the default.
        since: In UTC, without a time zone.
        until: In UTC, without a time zone; None is now.
        now: In UTC.

    Raises:
        BadParameter: It is said twice, or ends before it begins.
    """
    if hours is not None and since is not None:
        raise typer.BadParameter("says what --hours says as well; give one of them", param_hint="--since")
    end = now if until is None else until.replace(tzinfo=UTC)
    begin = end - timedelta(hours=hours or DEFAULT_HOURS) if since is None else since.replace(tzinfo=UTC)
    if begin >= end:
        raise typer.BadParameter(f"is not before {end:%Y-%m-%d %H:%M:%S}", param_hint="--since")
    return begin, end


def terms(plan: RolloutPlan, replay: timedelta, given: Mapping[str, float | None]) -> ReplayStep:
    """The limits: as given, else those of the plan's replay step, else the defaults of one.

    Args:
        plan: Of the endpoint.
        replay: How far back.
        given: By their names in a plan; None where nothing is given.

    Raises:
        BadParameter: One is out of its bounds.
    """
    planned = next((step.model_dump(by_alias=True) for step in plan.steps if isinstance(step, ReplayStep)), {})
    changed = {name: value for name, value in given.items() if value is not None}
    try:
        return ReplayStep.model_validate({**planned, **changed, "replay": replay})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise typer.BadParameter(told, param_hint="limits") from error


def _wanted(settings: Settings, endpoint: str) -> WantedEndpoint:
    from deployments.rollout.endpoint_store import EndpointStore

    known = EndpointStore(settings.control_database).endpoints()
    if endpoint not in known:
        raise UnknownEndpoint(endpoint, tuple(known))
    return known[endpoint]


@contextmanager
def _answers(settings: Settings, name: str, output: str | None) -> Iterator[str]:
    """Where answers go. Where nobody wants them they are removed: personal data stands in clear there."""
    if output is not None:
        yield batch_options.whole(output)
        return
    directory = settings.state / "replays" / name
    try:
        yield str(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _show(asked: WantedReplay, step: ReplayStep, replayed: Replayed, finding: Finding, as_json: bool) -> None:
    from ray_apps.cli import replay_report

    if as_json:
        console.out.print_json(json.dumps(replay_report.document(asked, finding)))
        return
    console.out.print(replay_report.table(asked, step, replayed, finding))
    console.out.print(replay_report.verdict(finding), soft_wrap=True)


def _awaited(replays: Replays, asked: WantedReplay, *, quiet: bool) -> Replayed:
    if quiet:
        return _done(replays, asked, lambda text: None)
    span = f"from {asked.since:%Y-%m-%d %H:%M:%S} to {asked.until:%Y-%m-%d %H:%M:%S} UTC"
    title = f"{asked.model} {asked.candidate} answers what {asked.stable} answered {span}"
    with console.step(title) as tell:
        return _done(replays, asked, tell)


def _done(replays: Replays, asked: WantedReplay, tell: Callable[[str], None]) -> Replayed:
    """What came of a replay; whoever interrupts it leaves no batch behind."""
    told = ""
    try:
        while not (found := replays.look(asked)).is_done:
            if found.told != told:
                tell(found.told)
            told = found.told
            time.sleep(POLL_SECONDS)
    except BaseException:
        with suppress(RaygateError):
            _stop(replays, asked)
        raise
    return found


def _stop(replays: Replays, asked: WantedReplay) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while not replays.cancel(asked) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)

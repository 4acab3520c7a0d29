"""``raygate experiment``: which version is better, by what its users did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from deployments.access.audit import Action
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.experiment import ExperimentDesign, ExperimentReading
from ray_apps.cli import audit, console, person, rollout_control
from ray_apps.local.lock import exclusive
from ray_apps.local.places import Places

app = typer.Typer(help="Which version is better, by what its users did.", no_args_is_help=True)
Endpoint = Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]
Baseline = Annotated[float, typer.Option(help="control's mean as it is expected, such as 0.10")]
Effect = Annotated[float, typer.Option(help="least absolute difference worth finding, such as 0.02")]
Metric = Annotated[str, typer.Option(help="conversion (share of units) or value (sum of a unit's values)")]
Deviation = Annotated[float | None, typer.Option(help="of one unit's value; for the metric value")]
Test = Annotated[str, typer.Option(help="sequential (looked at at any time) or fixed (read once, at the end)")]
Power = Annotated[float, typer.Option(help="probability of finding the effect")]


@app.command()
def plan(
    baseline: Baseline,
    effect: Effect,
    units_per_day: Annotated[int, typer.Option(help="users that come in a day, over all versions", min=1)],
    treatments: Annotated[int, typer.Option(help="versions beside control", min=1, max=9)] = 1,
    metric: Metric = "conversion",
    deviation: Deviation = None,
    power: Power = 0.8,
) -> None:
    """Say how many users an experiment needs, and how many days."""
    from deployments.rollout.experiment_reading import planned_units

    table = Table("test", "units an arm", "units in all", "days")
    for test in ("sequential", "fixed"):
        others = tuple(f"{number}.0.0" for number in range(2, treatments + 2))
        design = _design(
            control="1.0.0", treatments=others, metric=metric, baseline=baseline, effect=effect,
            deviation=deviation, power=power, test=test,
        )  # fmt: skip
        units = planned_units(design)
        whole = units * (treatments + 1)
        table.add_row(test, str(units), str(whole), f"{whole / units_per_day:.1f}")
    console.out.print(table)


@app.command()
def start(
    endpoint: Endpoint,
    control: Annotated[str, typer.Option(help="version that is compared with, such as 1.0.0")],
    treatment: Annotated[list[str], typer.Option(help="version that is compared; may be given again")],
    baseline: Baseline,
    effect: Effect,
    name: Annotated[str, typer.Option(help="what every record carries")] = "",
    metric: Metric = "conversion",
    deviation: Deviation = None,
    test: Test = "sequential",
    power: Power = 0.8,
    duration: Annotated[str, typer.Option(help="after which it ends without a winner")] = "14d",
    on_end: Annotated[
        str,
        typer.Option(help="tell (you stop it), conclude (the controller does), switch (and the winner gets all)"),
    ] = "tell",
) -> None:
    """Divide the traffic in equal parts and begin to compare."""
    from ray_apps.experiment_control import ExperimentControl

    design = _design(
        control=control, treatments=tuple(treatment), metric=metric, baseline=baseline, effect=effect,
        deviation=deviation, test=test, power=power, duration=duration, on_end=on_end,
    )  # fmt: skip
    settings, now = rollout_control.here("experiment start"), datetime.now(UTC)
    chosen = name or f"{endpoint}-experiment-{now:%Y%m%dT%H%M%SZ}"
    with (
        exclusive(Places(settings.state).lock_file, wait=True),
        console.step(f"{endpoint}: {chosen}") as progress,
        audit.recorded(settings, Action.EXPERIMENT_STARTED, f"endpoint/{endpoint}", {"experiment": chosen}),
    ):
        ExperimentControl(settings).start(endpoint, design, chosen, person.at_this_machine(), now, progress)


@app.command()
def status(
    endpoint: Endpoint,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Read the latest experiment: is it sound, is it over, who won, and by which numbers."""
    from deployments.rollout.experiment_reading import read
    from ray_apps.experiment_control import ExperimentControl

    control = ExperimentControl(rollout_control.here("experiment status"))
    experiment = control.store.latest(endpoint)
    reading = read(experiment.design, control.arms(experiment), experiment.is_over(datetime.now(UTC)))
    if as_json:
        console.out.print_json(reading.model_dump_json())
        return
    console.out.print(f"[bold]{escape(experiment.name)}[/]  {reading.outcome.value}: {escape(reading.reason)}")
    console.out.print(_table(experiment.design, reading))


@app.command()
def stop(endpoint: Endpoint) -> None:
    """End the experiment and give back the weights of before; its records stay."""
    from ray_apps.experiment_control import ExperimentControl

    settings = rollout_control.here("experiment stop")
    with (
        exclusive(Places(settings.state).lock_file, wait=True),
        console.step(f"{endpoint}: stopping its experiment") as progress,
        audit.recorded(settings, Action.EXPERIMENT_STOPPED, f"endpoint/{endpoint}"),
    ):
        ExperimentControl(settings).stop(endpoint, person.at_this_machine(), datetime.now(UTC), progress)


def _design(**fields: object) -> ExperimentDesign:
    """The design that the options say.

    Raises:
        InvalidDocument: Names every option that is wrong.
    """
    try:
        return ExperimentDesign.model_validate(fields)
    except ValidationError as error:
        problems = tuple(
            FieldProblem(".".join(map(str, found["loc"])) or "options", found["msg"].removeprefix("Value error, "))
            for found in error.errors()
        )
        raise InvalidDocument("experiment", problems) from error


def _table(design: ExperimentDesign, reading: ExperimentReading) -> Table:
    table = Table("version", "units", "against control", "plausible", "p")
    table.add_row(
        f"{design.control} (control)", f"{reading.units.get(str(design.control), 0)} of {reading.planned_units}"
    )
    compared = {found.version: found for found in reading.comparisons}
    for version in design.treatments:
        found = compared.get(version)
        shown = (
            (f"{found.difference:+.4g}", f"{found.lower:+.4g} to {found.upper:+.4g}", f"{found.p_value:.2g}")
            if found
            else ("", "", "")
        )
        table.add_row(str(version), str(reading.units.get(str(version), 0)), *shown)
    return table

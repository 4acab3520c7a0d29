"""Every command of ``raygate``, by the module that holds it."""

from __future__ import annotations

import typer

from ray_apps.cli import (
    batch,
    crd,
    endpoints,
    experiment,
    explain,
    keys,
    models,
    monitor,
    prediction_log,
    promotion,
    render,
    replay,
    retrain,
    rollout,
    signing,
    stack,
    stream,
    training,
)

app = typer.Typer(
    help="Serve versioned models on Ray behind a gateway that splits traffic.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
for command in (
    stack.up,
    stack.status,
    stack.down,
    training.train,
    training.package,
    endpoints.apply,
    endpoints.get,
    endpoints.describe,
    endpoints.traffic,
    endpoints.switch,
    endpoints.delete,
    promotion.smoke,
    promotion.promote,
    replay.replay,
    explain.explain,
    render.render,
    crd.crd,
):
    app.command()(command)
app.add_typer(rollout.app, name="rollout")
app.add_typer(experiment.app, name="experiment")
app.add_typer(retrain.app, name="retrain")
app.add_typer(batch.app, name="batch")
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(signing.signing_keys, name="signing-keys")
app.add_typer(prediction_log.app, name="log")
app.add_typer(monitor.app, name="monitor")
app.add_typer(stream.app, name="stream")

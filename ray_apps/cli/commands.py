"""Every command of ``raygate``, by the module that holds it."""

from __future__ import annotations

import typer

from ray_apps.cli import endpoints, render, stack, training

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
    endpoints.traffic,
    endpoints.delete,
    render.render,
):
    app.command()(command)

"""How every command speaks: steps with a clock, tables, errors in one red line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deployments.contracts.errors import RaygateError

out = Console(highlight=False)
"""What a command has to say."""
err = Console(stderr=True, highlight=False)
"""Errors and warnings: never mixed into output that a script reads."""


def run(app: typer.Typer) -> None:
    """Run the command line; an error that Raygate raises on purpose is a short message and exit code 1."""
    try:
        app()
    except RaygateError as error:
        complain(error)
        raise SystemExit(1) from None


def complain(error: RaygateError) -> None:
    """Print an error, without its traceback."""
    err.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)


def warn(message: str) -> None:
    """Print something that does not stop the command."""
    err.print(f"[yellow]warning:[/] {escape(message)}", soft_wrap=True)


def say(message: str) -> None:
    """Print a line."""
    out.print(escape(message), soft_wrap=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show that something is going on, and how long it took.

    On a terminal a spinner with a clock, replaced by one line at the end; elsewhere plain lines.

    Yields:
        A function that tells how far it is.
    """
    began = time.monotonic()
    try:
        if out.is_terminal:
            with _spinner() as progress:
                task = progress.add_task(escape(title))
                yield lambda text: progress.update(task, description=f"{escape(title)}: [dim]{escape(text)}[/]")
        else:
            say(f"{title} ...")
            yield lambda text: say(f"  {text}")
    except BaseException:
        out.print(f"[red]✗[/] {escape(title)} [dim]{time.monotonic() - began:.1f} s[/]")
        raise
    out.print(f"[green]✓[/] {escape(title)} [dim]{time.monotonic() - began:.1f} s[/]")


def _spinner() -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=out, transient=True
    )

"""How far a batch is, on a terminal or in a log."""

from __future__ import annotations

import rich.progress

from deployments.batch.ledger import Progress
from ray_apps.cli import console


class BatchProgressLine:
    """How far the job is: a bar on a terminal, lines in a log."""

    def __init__(self) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TextColumn("{task.percentage:>3.0f} %"),
            rich.progress.TimeRemainingColumn(),
            console=console.err,
            disable=not console.err.is_terminal,
        )
        self._task = self._bar.add_task("planning", total=None)

    def __enter__(self) -> BatchProgressLine:
        """Begin to show it."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        self._bar.stop()

    def tell(self, progress: Progress) -> None:
        """Show it."""
        text = f"{progress.rows:,} rows, {progress.rejected:,} rejected, {progress.rows_per_second:,.0f} rows/s"
        if console.err.is_terminal:
            self._bar.update(
                self._task, description=text, completed=progress.bytes_done, total=progress.bytes_total
            )
        else:
            console.err.print(f"{progress.units_done}/{progress.units} units, {text}", soft_wrap=True)

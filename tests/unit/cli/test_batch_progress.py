from datetime import UTC, datetime

import pytest
from rich.console import Console

from deployments.batch.ledger import Progress, State
from ray_apps.cli import console
from ray_apps.cli.batch_progress import BatchProgressLine

HALF = Progress(
    state=State.RUNNING,
    units=4,
    units_done=2,
    rows=200_000,
    rows_total=400_000,
    rejected=3,
    bytes_done=50,
    bytes_total=100,
    rows_per_second=12_345.6,
    seconds=16.2,
    peak_memory=0,
    updated=datetime(2026, 11, 21, 12, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("is_terminal", "shown"),
    [
        pytest.param(False, "2/4 units, 200,000 rows, 3 rejected, 12,346 rows/s\n", id="a-line-in-a-log"),
        pytest.param(True, "50 %", id="a-bar-on-a-terminal"),
    ],
)
def test_progress_tells_rows_and_their_pace(monkeypatch, capsys, is_terminal, shown):
    monkeypatch.setattr(
        console, "err", Console(stderr=True, highlight=False, force_terminal=is_terminal, width=120)
    )
    with BatchProgressLine() as line:
        line.tell(HALF)
    said = capsys.readouterr().err
    assert shown in said
    assert "200,000 rows, 3 rejected, 12,346 rows/s" in said

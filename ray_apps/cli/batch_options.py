"""What can be asked of a batch on the command line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from deployments.batch.file_format import FileFormat

Output = Annotated[str, typer.Option(help="directory or s3://bucket/prefix: empty, or of this very job")]
Input = Annotated[
    str | None, typer.Option("--input", help="file or prefix; with --replay default the log", show_default=False)
]
Model = Annotated[str | None, typer.Option(help="registered model", show_default=False)]
OneVersion = Annotated[str | None, typer.Option(help="that scores every row", show_default=False)]
Endpoint = Annotated[
    str | None, typer.Option(help="in their place: its split decides for every row", show_default=False)
]
OutputFormat = Annotated[FileFormat | None, typer.Option(help="default: that of the input")]
PartitionBy = Annotated[str | None, typer.Option(help="column whose values become folders")]
RowsPerFile = Annotated[int, typer.Option(min=1000, help="of the output, about")]
HeaderColumns = Annotated[
    list[str] | None, typer.Option(help="header=column, for sticky assignment and rules", show_default=False)
]
Explanations = Annotated[bool, typer.Option("--explanations", help="explain every row")]
Documents = Annotated[
    bool, typer.Option("--documents", help="rows are the endpoint's own documents, not features")
]
MaxRejectedRows = Annotated[int, typer.Option(min=0)]
CallbackUrl = Annotated[str | None, typer.Option(help="gets the end state", show_default=False)]
Replay = Annotated[bool, typer.Option("--replay", help="the input is a prediction log")]
Moment = Annotated[datetime | None, typer.Option(help="of a replay, UTC", show_default=False)]
Key = Annotated[str | None, typer.Option(help="sent again with it the batch runs once")]
Wait = Annotated[bool, typer.Option("--wait", help="until it is done; exit code 1 if it failed")]


def whole(location: str) -> str:
    """A path from the root: the job runs in another directory."""
    return location if "://" in location or not location else str(Path(location).absolute())

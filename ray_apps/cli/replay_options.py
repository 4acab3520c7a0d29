"""What can be asked of a replay on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

Endpoint = Annotated[str, typer.Argument(help="name of the endpoint, such as credit-risk")]
AnyVersion = Annotated[str, typer.Argument(help="that is packaged, such as 1.2.0; it need not be served")]
Hours = Annotated[
    float | None, typer.Option(min=0.01, help="back from now, or from --until; default 24", show_default=False)
]
LimitDisagreement = Annotated[
    float | None, typer.Option(help="share of requests that may get another label; default that of the plan")
]
LimitDrop = Annotated[
    float | None, typer.Option(help="by which accuracy on labels may be lower; default that of the plan")
]
MinRows = Annotated[int | None, typer.Option(help="requests before it is healthy; default that of the plan")]
MinLabels = Annotated[int | None, typer.Option(help="before accuracy counts; default that of the plan")]
Output = Annotated[
    str | None, typer.Option(help="where the answers are to stay; left out: removed once they are compared")
]
Json = Annotated[bool, typer.Option("--json", help="for scripts")]

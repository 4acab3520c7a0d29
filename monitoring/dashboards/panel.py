"""A panel as a dashboard needs it: what is asked, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass

SELECTED = 'environment=~"$environment",model=~"$model",version=~"$version"'
"""Matchers of series that have a version, from the dashboard's variables."""
WHOLE_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram over time.

    Attributes:
        title: Names the figure.
        queries: PromQL, each with the legend of its lines.
        unit: Grafana's name of it.
        explained: What it tells, and when to worry.
        width: Of 24 columns.
        most: Upper end of the axis, where it has one.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    explained: str = ""
    width: int = 12
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard.

    Attributes:
        name: Of its file, and its identity in Grafana.
        title: For people.
        panels: In reading order.
        by_version: Whether its series have model and version, so that people can choose.
    """

    name: str
    title: str
    panels: tuple[Panel, ...]
    by_version: bool = True

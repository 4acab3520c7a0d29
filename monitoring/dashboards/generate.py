"""Write the dashboards as the JSON that Grafana reads: ``python -m monitoring.dashboards.generate``."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    GridPos,
    VariableRefresh,
)

from monitoring.dashboards.pages import PAGES
from monitoring.dashboards.panel import WHOLE_WIDTH, Page, Panel

DIRECTORY = Path(__file__).parent / "grafana"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
PANEL_HEIGHT = 8
ANY_REQUESTS = "ml_scoring_requests_total"


def text(page: Page) -> str:
    """A dashboard's JSON: the same for the same page."""
    made = (
        dashboard.Dashboard(page.title)
        .uid(f"raygate-{page.name}")
        .tags(["raygate"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-3h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus").label("Prometheus"))
    )
    for name in ("environment", *(("model", "version") if page.by_version else ())):
        made = made.with_variable(
            dashboard.QueryVariable(name)
            .query(f"label_values({ANY_REQUESTS}, {name})")
            .datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    column = row = 0
    for panel in page.panels:
        if column + panel.width > WHOLE_WIDTH:
            column, row = 0, row + PANEL_HEIGHT
        made = made.with_panel(_diagram(panel, GridPos(h=PANEL_HEIGHT, w=panel.width, x=column, y=row)))
        column += panel.width
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _diagram(panel: Panel, place: GridPos) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.explained)
        .datasource(SOURCE)
        .grid_pos(place)
        .unit(panel.unit)
        .min(0)
        .fill_opacity(5)
    )
    if panel.most is not None:
        made = made.max(panel.most)
    for query, legend in panel.queries:
        made = made.with_target(prometheus.Dataquery().expr(query).legend_format(legend))
    return made


def main() -> None:
    """Write every dashboard."""
    DIRECTORY.mkdir(exist_ok=True)
    for page in PAGES:
        (DIRECTORY / f"{page.name}.json").write_text(text(page))


if __name__ == "__main__":
    main()

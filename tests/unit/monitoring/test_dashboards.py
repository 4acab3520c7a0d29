import json
import re

import pytest
from exposed_series import EXPOSED

from monitoring.dashboards import generate
from monitoring.dashboards.pages import PAGES

OF_RAY = {
    "ray_node_cpu_utilization",
    "ray_node_mem_used",
    "ray_component_cpu_percentage",
    "ray_component_rss_bytes",
}
"""Ray's own, on the port of each node."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_file_that_grafana_reads_is_what_the_code_says(page):
    path = generate.DIRECTORY / f"{page.name}.json"
    assert path.read_text() == generate.text(page), "run: python -m monitoring.dashboards.generate"


def test_no_dashboard_is_left_of_a_page_that_is_gone():
    assert {path.stem for path in generate.DIRECTORY.glob("*.json")} == {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_panel_has_a_place_of_its_own_and_asks_for_series_that_exist(page):
    panels = json.loads(generate.text(page))["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels) == len(page.panels)
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            asked = set(re.findall(r"\b(?:ml|raygate|ray_node|ray_component)_\w+", target["expr"]))
            assert asked
            assert asked <= EXPOSED | OF_RAY, panel["title"]

"""Grafana dashboards as code; ``python -m monitoring.dashboards.generate`` writes the files that Grafana reads."""

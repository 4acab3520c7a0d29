"""From the gateways' snapshots to Prometheus series."""

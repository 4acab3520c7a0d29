"""From data to a registered model package."""

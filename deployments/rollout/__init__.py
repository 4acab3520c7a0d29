"""From an endpoint's document to what Ray Serve runs."""

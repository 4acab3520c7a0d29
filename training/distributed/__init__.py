"""Training on more rows than one machine holds: Ray Data reads and prepares, Ray Train fits."""

"""The stack on one machine: Ray, MLflow's page and what they leave behind, as processes of our own."""

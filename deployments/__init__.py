"""The serving plane: contracts, routing, the gateway, the version pools and the rollout of both."""

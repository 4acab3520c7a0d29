"""The ingress: validates a request, chooses a version, asks its pool, answers."""

"""The controller of a Kubernetes namespace: ModelEndpoints in, one RayService's Serve config out."""

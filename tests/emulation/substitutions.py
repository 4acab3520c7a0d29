"""Everything in which the emulated cluster differs from the rendered manifests: nothing else is written anew.

Not emulated at all: users without root's rights, probes, network policies, limits of pods, buckets.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

IDLE_SECONDS = 10
"""In the place of 120: a node that is not needed is given back while the test still looks."""
START_PARAMETERS = {"object-store-memory": "200000000"}
"""Ray would take a share of the whole machine; in a pod it sees the pod's limit."""
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin",
    "HOME": "/tmp/ray",  # each pod's own
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(Path(__file__).parent),  # where a pool finds slow_model
}
"""What an image would bring."""


def in_test_size(service: dict[str, Any]) -> dict[str, Any]:
    """The RayService with the bounds of a test; it is changed in place."""
    service["spec"]["rayClusterConfig"]["autoscalerOptions"]["idleTimeoutSeconds"] = IDLE_SECONDS
    return service

"""Which Ray a job works on, on a machine where others run or ran."""

import os
import subprocess
import sys
import time

import pytest
import ray
from ray.util import state
from ray.util.state.exception import ServerUnavailable


def test_workers_of_an_own_ray_ask_no_other_ray_of_the_machine(ray_cluster):
    """Ray Train asks so whether its controller is alive, and ends the fit if another Ray says that it is not."""

    @ray.remote(num_cpus=0)
    def ask():
        with pytest.raises(ServerUnavailable):
            state.get_actor("0" * 32, timeout=1)

    began = time.monotonic()
    ray.get(ask.remote())
    assert time.monotonic() - began < 20, "nobody waited for the Ray that was killed"


CONNECT = "from ray_apps import ray_connection; ray_connection.connect()"


def test_a_cluster_that_is_not_there_is_named():
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1"}
    ended = subprocess.run([sys.executable, "-c", CONNECT], env=environment, stderr=subprocess.PIPE, timeout=60)
    assert b"ClusterUnavailable: no Ray at address 127.0.0.1:1: [Errno 111] Connection refused" in ended.stderr

"""Waits for what comes true in its own time."""

import time

RETIRED_SECONDS = 150.0
"""A pool that nobody is sent to stays for a minute, is found within ten seconds more, and ends in good order."""


def wait_until(condition, timeout_s=60.0):
    """Wait for a condition and return what it found, or fail."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.1)
    return found

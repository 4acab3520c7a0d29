"""Work that must not hold up a request: repeated in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("raygate.access")


class Repeating:
    """Calls a function again and again in a daemon thread.

    A failure is logged when it begins and when it ends, not at every repetition.

    Args:
        name: Of the thread, and in the log.
        action: What is repeated; what it raises is a failure.
        every_seconds: Pause between two calls.
        pause_seconds: The shortest pause, when it is woken.
    """

    def __init__(
        self, name: str, action: Callable[[], None], every_seconds: float, pause_seconds: float = 0.0
    ) -> None:
        self._name, self._action = name, action
        self._every_seconds, self._pause_seconds = every_seconds, pause_seconds
        self._woken, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)
        self._is_failing = False

    def start(self) -> None:
        """Begin with a pause: whoever wants a first result at once calls ``attempt`` before. Twice is once."""
        if self._thread.ident is None:
            self._thread.start()

    def wake(self) -> None:
        """Do not wait for the end of the pause; returns at once, from any thread."""
        self._woken.set()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """End the thread; a call that is under way has so long to finish."""
        self._ended.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def attempt(self) -> bool:
        """Call the function once, in this thread; whether it succeeded."""
        try:
            self._action()
        except Exception as error:
            if not self._is_failing:
                _log.warning("%s fails: %s", self._name, error)
            self._is_failing = True
            return False
        if self._is_failing:
            _log.warning("%s works again", self._name)
        self._is_failing = False
        return True

    def _repeat(self) -> None:
        attempted_at = time.monotonic()
        while not self._ended.is_set():
            self._woken.wait(self._every_seconds)
            self._ended.wait(max(0.0, attempted_at + self._pause_seconds - time.monotonic()))
            self._woken.clear()
            if self._ended.is_set():
                return
            attempted_at = time.monotonic()
            self.attempt()

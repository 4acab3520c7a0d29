"""What can go wrong with the prediction log, by name. Written so that it survives pickling between processes."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class SegmentUnreadable(RaygateError):
    """A file that is named like a segment of the log is none, is damaged, or is of a later release."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"segment {self.path} cannot be read: {self.reason}"


class InvalidLogQuery(RaygateError):
    """A question to the log is not one that it can answer."""

    def __init__(self, argument: str, value: str, expected: str) -> None:
        super().__init__(argument, value, expected)
        self.argument, self.value, self.expected = argument, value, expected

    def __str__(self) -> str:
        return f"{self.argument}: {self.value!r} is not {self.expected}"


class InvalidPersonalDataKey(RaygateError):
    """A key for personal data is missing, malformed or not the one that a value was encrypted with."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return f"key for personal data ({self.where}): {self.reason}"


class LogCareIncomplete(RaygateError):
    """Some partitions of the log could not be worked on; the others were."""

    def __init__(self, done: int, problems: tuple[str, ...]) -> None:
        super().__init__(done, problems)
        self.done, self.problems = done, problems

    def __str__(self) -> str:
        return f"{self.done} partitions are done, {len(self.problems)} are not:\n  " + "\n  ".join(self.problems)

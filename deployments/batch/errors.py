"""What can go wrong with a batch, by name. Written so that it survives pickling between processes."""

from __future__ import annotations

from deployments.contracts.errors import FieldProblem, RaygateError


class InvalidBatchJob(RaygateError):
    """A batch is not described as it must be, or its input does not have what its model needs."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


class NothingToScore(RaygateError):
    """The input has no file, or no row."""

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(location, reason)
        self.location, self.reason = location, reason

    def __str__(self) -> str:
        return f"input {self.location}: {self.reason}"


class InputUnreachable(NothingToScore):
    """Nobody can tell what the input has: its place does not answer, or does not let us in."""


class InputUnreadable(RaygateError):
    """A file of the input cannot be read, or is not of its format."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(file, reason)
        self.file, self.reason = file, reason

    def __str__(self) -> str:
        return f"input file {self.file} cannot be read: {self.reason}"


class OutputTaken(RaygateError):
    """The output holds something else than the beginning of this very job."""

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(location, reason)
        self.location, self.reason = location, reason

    def __str__(self) -> str:
        return f"output {self.location} {self.reason}; give another output, or remove what is there"


class OutputUnwritable(RaygateError):
    """The output cannot be written. What was written before is whole."""

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(location, reason)
        self.location, self.reason = location, reason

    def __str__(self) -> str:
        return f"output {self.location} cannot be written: {self.reason}"


class TooManyRejectedRows(RaygateError):
    """More rows do not fit the model than the job allows."""

    def __init__(self, rejected: int, limit: int, place: str) -> None:
        super().__init__(rejected, limit, place)
        self.rejected, self.limit, self.place = rejected, limit, place

    def __str__(self) -> str:
        return (
            f"{self.rejected} rows do not fit the model and at most {self.limit} may; why is said in {self.place}"
        )


class LocationNotAllowed(RaygateError):
    """A caller names a place that the operator has not opened to callers."""

    def __init__(self, field: str, location: str, allowed: tuple[str, ...]) -> None:
        super().__init__(field, location, allowed)
        self.field, self.location, self.allowed = field, location, allowed

    def __str__(self) -> str:
        allowed = ", ".join(self.allowed) or "none; the operator opens them"
        return f"{self.field}: {self.location} is not among the places that callers may use: {allowed}"


class UnknownBatchJob(RaygateError):
    """No batch of that id is known, or it is somebody else's."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"no batch job {self.job_id!r}"


class BatchKeyConflict(RaygateError):
    """An idempotency key comes again with another job."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id)
        self.job_id = job_id

    def __str__(self) -> str:
        return f"this Idempotency-Key was used for another batch, {self.job_id}; send a new key for a new batch"


class JobsUnavailable(RaygateError):
    """The Ray cluster that runs jobs does not answer, or refuses one."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f"Ray jobs at {self.address}: {self.reason}"


class WorkersDied(RaygateError):
    """The processes that score die again and again at the same rows."""

    def __init__(self, attempts: int) -> None:
        super().__init__(attempts)
        self.attempts = attempts

    def __str__(self) -> str:
        return (
            f"workers died {self.attempts} times at the same rows: too little memory for a row group "
            "and its model, or a model that ends its process; Ray's log of the job has the reason"
        )


class CallbackFailed(RaygateError):
    """Nobody took the end state at the callback's address."""

    def __init__(self, origin: str, attempts: int, reason: str) -> None:
        super().__init__(origin, attempts, reason)
        self.origin, self.attempts, self.reason = origin, attempts, reason

    def __str__(self) -> str:
        return f"callback to {self.origin} failed after {self.attempts} attempts: {self.reason}"

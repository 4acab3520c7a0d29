"""What became of documents in a pool: the features that were made of them, the answers, and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.contracts.errors import FieldProblem


class Stage(StrEnum):
    """Which transformer failed."""

    PRE = "pre"
    POST = "post"


@dataclass(frozen=True, slots=True)
class TransformerFailure:
    """A transformer raised, or gave what the model or its own annotation does not take.

    Attributes:
        stage: Which one: ``pre`` or ``post``, or what a later release says.
        cause: The error's type, or which feature does not fit; never a value of the document.
    """

    stage: str
    cause: str


@dataclass(frozen=True, slots=True)
class DocumentReply:
    """What the transformers made of n documents.

    Attributes:
        numbers: float64, shape (n, numeric features); NaN where a feature is null, or there are none.
        texts: One list of n texts or Nones for each textual feature.
        answers: JSON of each answer; None where there is none.
        refused: What is wrong with documents, by position: the caller's fault.
        failures: Where a transformer failed, by position: its author's.
    """

    numbers: NDArray[np.float64]
    texts: tuple[list[str | None], ...]
    answers: list[bytes | None]
    refused: dict[int, tuple[FieldProblem, ...]] = field(default_factory=dict)
    failures: dict[int, TransformerFailure] = field(default_factory=dict)

    def part(self, start: int, end: int) -> DocumentReply:
        """The reply for some of the documents in a row."""
        return DocumentReply(
            self.numbers[start:end],
            tuple(column[start:end] for column in self.texts),
            self.answers[start:end],
            {row - start: problems for row, problems in self.refused.items() if start <= row < end},
            {row - start: failure for row, failure in self.failures.items() if start <= row < end},
        )

    def to_plain(self) -> dict[str, Any]:
        """The reply as a dictionary of plain data."""
        return {
            "numbers": self.numbers.tobytes(),
            "texts": list(self.texts),
            "answers": self.answers,
            "refused": {
                row: [[problem.where, problem.message] for problem in problems]
                for row, problems in self.refused.items()
            },
            "failures": {row: [failure.stage, failure.cause] for row, failure in self.failures.items()},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> DocumentReply:
        """Read a reply."""
        rows = len(plain["answers"])
        numbers = np.frombuffer(plain["numbers"], dtype=np.float64)
        return cls(
            numbers=numbers.reshape(rows, -1) if rows else numbers.reshape(0, 0),
            texts=tuple(plain["texts"]),
            answers=plain["answers"],
            refused={
                row: tuple(FieldProblem(where, message) for where, message in problems)
                for row, problems in plain["refused"].items()
            },
            failures={row: TransformerFailure(*failure) for row, failure in plain["failures"].items()},
        )

"""Scoring one unit: read, score, write, commit. What a worker of the pool does again and again."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from deployments.batch import input_rows, places
from deployments.batch.block_scoring import BlockScorer
from deployments.batch.errors import InputUnreadable, TooManyRejectedRows
from deployments.batch.input_rows import RowBlock
from deployments.batch.ledger import REJECTED, Commit, Ledger, WrittenFile
from deployments.batch.logged_requests import Replay
from deployments.batch.output_rows import UnitOutput
from deployments.batch.plan import Plan
from deployments.batch.rejected_rows import RejectedRow, lines
from deployments.batch.scored_rows import VersionScorer
from deployments.batch.units import Unit
from deployments.runtime.signature import TrustedKeys


class UnitScorer:
    """Scores units of one plan; packages are loaded once.

    Args:
        plan: Of the job.
        trusted: Keys of which one must have signed each package; None asks for no signature.
        clock: Monotonic seconds.

    Raises:
        PackageNotFound: A package is gone.
        PackageRejected: It is another one.
        TransformerUnusable: It has not the transformers of the job.
    """

    def __init__(
        self, plan: Plan, trusted: TrustedKeys | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        job = plan.job
        self._plan, self._clock = plan, clock
        self._input = places.place(job.input, "input") if job.replay else places.input_root(job.input)
        self._output = places.place(job.output, "output")
        scorers = {
            package.version: VersionScorer(
                package.version, Path(package.directory), package.digest, job.explanations, job.documents, trusted
            )
            for package in plan.packages
        }
        self._scorer = BlockScorer(plan, scorers)
        self._replay = Replay(job.replay) if job.replay else None

    def score(self, unit: Unit) -> Commit:
        """Score one unit and commit it; without a commit nothing but a whole file of the same rows may be there.

        Raises:
            InputUnreadable: A file is damaged or away, or is another one than when it was planned.
            OutputUnwritable: The output cannot be written.
            TooManyRejectedRows: This unit alone has more than the job allows.
        """
        began = self._clock()
        rejected: list[RejectedRow] = []
        limit = self._plan.job.max_rejected_rows
        begin = 0
        form, partition_by = self._plan.output_format, self._plan.job.partition_by
        with UnitOutput(self._output, unit.name, form, partition_by) as output:
            for block in self._blocks(unit):
                table, bad = self._scorer.score(block, unit.number, begin)
                output.write(table)
                rejected += bad
                begin += block.table.num_rows
                if len(rejected) > limit:
                    self._write_rejected(unit, rejected[: limit + 1])
                    raise TooManyRejectedRows(len(rejected), limit, f"{self._output.shown}/{REJECTED}")
        self._write_rejected(unit, rejected)
        commit = Commit(
            unit=unit.number,
            files=tuple(WrittenFile(path=path, rows=rows) for path, rows in output.rows.items()),
            rows=sum(output.rows.values()),
            rejected=len(rejected),
            size=unit.size,
            seconds=self._clock() - began,
            peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )
        Ledger(self._output).commit(commit)
        return commit

    def _blocks(self, unit: Unit) -> Iterator[RowBlock]:
        for part in unit.slices:
            planned, form = self._plan.files[part.file], self._plan.input_format
            path = planned.path
            try:
                found = self._input.filesystem.get_file_info(self._input.full(path))
            except OSError as error:
                raise InputUnreadable(path, str(error)) from error
            if (found.size, found.mtime_ns or 0) != (planned.size, planned.modified):
                raise InputUnreadable(path, "it changed since the job was planned")
            layout = input_rows.layout_of(self._input, path, form, self._scorer.features)
            for block in input_rows.blocks(self._input, path, part, form, layout):
                yield block if self._replay is None else self._replay.requests(block)

    def _write_rejected(self, unit: Unit, rejected: list[RejectedRow]) -> None:
        if not rejected:
            return
        with places.writing(self._output):
            self._output.put(f"{REJECTED}/part-{unit.name}.jsonl", pa.py_buffer(lines(rejected)))

"""Looking at the input before anything is written: what is in it, and does it have what the models need."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow as pa
from pyarrow import fs

from deployments.batch import file_format, parquet_footer, places
from deployments.batch.errors import InvalidBatchJob, NothingToScore
from deployments.batch.file_format import Family, FileFormat
from deployments.batch.input_rows import layout_of
from deployments.batch.job import BatchJob
from deployments.batch.logged_requests import logged_files, logged_layout
from deployments.batch.plan import PackageReference, Plan
from deployments.batch.row_check import check_layout
from deployments.batch.scored_rows import ADDED_COLUMNS
from deployments.batch.units import InputFile, units_of
from deployments.contracts.errors import FieldProblem
from deployments.contracts.feature_schema import Feature, FeatureSchema
from deployments.storage.location import Location

READERS = 8
"""Files looked at at a time: on S3 most of it is waiting."""


def make_plan(
    job: BatchJob, packages: Sequence[PackageReference], schemas: Sequence[FeatureSchema], now: datetime
) -> Plan:
    """Look at the input and divide it; nothing is written.

    Every file is looked at: its footer or first lines must be readable and have the features of every version.

    Args:
        job: What is asked for.
        packages: That score.
        schemas: Theirs.
        now: Becomes part of every prediction id.

    Raises:
        InvalidBatchJob: The input is of no known format or of several, or lacks what a version needs, or has more
            rows than were charged.
        NothingToScore: It has no file or no row.
        InputUnreadable: A file is damaged.
    """
    if job.documents is not None:
        schemas = ()  # what a document must be its own type says, row by row
    root, infos = logged_files(job.input, job.replay, job.model) if job.replay else places.input_files(job.input)
    form = _one_format([places.relative(root, info.path) for info in infos], root)

    def look(info: fs.FileInfo) -> InputFile:
        return _look(job, schemas, root, info, form)

    with ThreadPoolExecutor(READERS) as readers:
        files = tuple(readers.map(look, infos))
    units = units_of([file for file in files if file.size], job.rows_per_file)
    if not units:
        raise NothingToScore(root.shown, "its files have no row")
    _check_charged(job, files)
    return Plan(
        job=job,
        planned=now,
        packages=tuple(packages),
        input_format=form,
        output_format=job.output_format or form,
        files=tuple(file for file in files if file.size),
        units=units,
    )


def features_of(schemas: Sequence[FeatureSchema]) -> tuple[Feature, ...]:
    """Features of several versions, each name once: as the first version that has it says."""
    found: dict[str, Feature] = {}
    for schema in schemas:
        for feature in schema.features:
            found.setdefault(feature.name, feature)
    return tuple(found.values())


def _look(
    job: BatchJob, schemas: Sequence[FeatureSchema], root: Location, info: fs.FileInfo, form: FileFormat
) -> InputFile:
    path = places.relative(root, info.path)
    modified = info.mtime_ns or 0
    if info.size == 0:
        return InputFile(path=path, size=0, modified=modified)
    layout = layout_of(root, path, form, features_of(schemas))
    if job.replay:
        # A segment may be older than a feature: rows that lack one are rejected one by one.
        layout = logged_layout(layout, job.replay)
    else:
        for schema in schemas:
            check_layout(layout, schema, path, as_text=form.family is Family.CSV)
    _check_names(layout, path, job)
    return InputFile(
        path=path,
        size=info.size,
        modified=modified,
        group_rows=parquet_footer.group_rows(root, path) if form is FileFormat.PARQUET else None,
        layout=hashlib.blake2b(str(layout.remove_metadata()).encode(), digest_size=8).hexdigest(),
    )


def _one_format(paths: Sequence[str], root: Location) -> FileFormat:
    found = {path: file_format.of_file(path) for path in paths}
    known = ", ".join(form.value for form in FileFormat)
    unknown = [path for path, form in found.items() if form is None]
    if not found:
        raise NothingToScore(root.shown, "there is no file")
    if unknown:
        problem = FieldProblem("input", f"{unknown[0]} is of no known format; known suffixes: {known}")
        raise InvalidBatchJob((problem,))
    forms = sorted({form.value for form in found.values() if form})
    if len(forms) > 1:
        raise InvalidBatchJob((FieldProblem("input", f"has files of several formats: {', '.join(forms)}"),))
    return FileFormat(forms[0])


def _check_charged(job: BatchJob, files: Sequence[InputFile]) -> None:
    """Whoever is charged when a batch is sent must not exchange its input afterwards."""
    if job.charged_rows is None:
        return
    counted = [sum(file.group_rows) for file in files if file.group_rows is not None]
    if sum(counted) > job.charged_rows or len(counted) < sum(file.size > 0 for file in files):
        problem = f"is not what it was: {job.charged_rows} rows were charged when the batch was sent"
        raise InvalidBatchJob((FieldProblem("input", problem),))


def _check_names(layout: pa.Schema, path: str, job: BatchJob) -> None:
    """What the output adds must not stand in the input already, and what the job names must."""
    problems = [
        FieldProblem(f"{path}: column {name}", "has the name of a column that scoring adds; rename it")
        for name in layout.names
        if name in ADDED_COLUMNS
    ]
    problems += [
        FieldProblem("header_columns", f"{path} has no column {column!r}")
        for column in job.header_columns.values()
        if column not in layout.names
    ]
    if job.partition_by and job.partition_by not in (*layout.names, *ADDED_COLUMNS):
        problems.append(FieldProblem("partition_by", f"{path} has no column {job.partition_by!r}"))
    if problems:
        raise InvalidBatchJob(tuple(problems))

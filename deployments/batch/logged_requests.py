"""The prediction log as an input: what was asked, to be scored again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import fs

from deployments.batch import places
from deployments.batch.errors import InputUnreachable, InvalidBatchJob, NothingToScore
from deployments.batch.input_rows import RowBlock
from deployments.batch.job import LoggedRequests
from deployments.contracts.errors import FieldProblem
from deployments.contracts.feature_schema import Feature, FeatureKind
from deployments.contracts.request_record import Stage
from deployments.prediction_log import catalogue
from deployments.prediction_log.columns import ENCRYPTED, FEATURE_PREFIX, decrypted, feature_field
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.storage.errors import StorageUnreachable
from deployments.storage.location import Location

KEPT = {
    "prediction_id": "logged_prediction_id",
    "version": "logged_version",
    "prediction": "logged_prediction",
    "probability": "logged_probability",
    "timestamp": "timestamp",
    "unit": "unit",
}
"""Columns of the log that a replay keeps, and their names there: what was answered stands beside what is."""


def logged_files(uri: str, asked: LoggedRequests, model: str) -> tuple[Location, list[fs.FileInfo]]:
    """Root and segments of a log, those of the asked hours.

    Raises:
        InvalidBatchJob: The URI names no place.
        NothingToScore: There is no segment.
        InputUnreachable: The log cannot be read.
    """
    root = places.place(uri, "input")
    version = None if asked.version is None else str(asked.version)
    try:
        paths = catalogue.predictions(root, model, version, asked.since, asked.until)
        infos = root.filesystem.get_file_info([root.full(path) for path in paths])
    except (OSError, StorageUnreachable) as error:
        raise InputUnreachable(root.shown, f"cannot be read: {error}") from error
    if not infos:
        raise NothingToScore(root.shown, f"the prediction log has no request of {model} in that time")
    return root, infos


def logged_layout(layout: pa.Schema, asked: LoggedRequests) -> pa.Schema:
    """Columns of a segment as a replay has them.

    Raises:
        InvalidBatchJob: A feature is encrypted and no keys are given.
    """
    fields = [layout.field(name).with_name(shown) for name, shown in KEPT.items()]
    for field in layout:
        if not field.name.startswith(FEATURE_PREFIX):
            continue
        name = field.name.removeprefix(FEATURE_PREFIX)
        kind = (field.metadata or {}).get(ENCRYPTED)
        if kind is not None and asked.keys is None:
            told = f"the feature {name} is encrypted in the log; say where the keys are"
            raise InvalidBatchJob((FieldProblem("replay.keys", told),))
        clear = field if kind is None else feature_field(Feature(name=name, kind=FeatureKind(kind.decode())))
        fields.append(pa.field(name, clear.type))
    return pa.schema(fields)


class Replay:
    """Turns the log's rows into the requests that they remember.

    Args:
        asked: Which of them.

    Raises:
        InvalidPersonalDataKey: The keys are not there.
    """

    def __init__(self, asked: LoggedRequests) -> None:
        self._asked = asked
        self._keys = None if asked.keys is None else PersonalDataKeys.load(asked.keys)

    def requests(self, block: RowBlock) -> RowBlock:
        """The rows that callers saw an answer to, in the asked time, with features under their own names.

        Raises:
            InvalidPersonalDataKey: A value was encrypted with another key.
        """
        asked = self._are_asked(block.table)
        rows = block.rows[asked.to_numpy().astype(np.bool_)]
        return RowBlock(block.file, rows, self._as_requests(block.table.filter(asked)), block.malformed)

    def _are_asked(self, table: pa.Table) -> pa.ChunkedArray:
        chosen = pc.equal(table["stage"], Stage.LIVE.value)
        moment = table.schema.field("timestamp").type
        if self._asked.since is not None:
            since = pc.greater_equal(table["timestamp"], pa.scalar(self._asked.since, moment))
            chosen = pc.and_(chosen, since)
        if self._asked.until is not None:
            chosen = pc.and_(chosen, pc.less(table["timestamp"], pa.scalar(self._asked.until, moment)))
        return pc.fill_null(chosen, False)

    def _as_requests(self, table: pa.Table) -> pa.Table:
        if self._keys is not None:
            table = decrypted(table, self._keys)
        features = {
            name: name.removeprefix(FEATURE_PREFIX)
            for name in table.schema.names
            if name.startswith(FEATURE_PREFIX)
        }
        chosen = KEPT | features
        return table.select(list(chosen)).rename_columns(list(chosen.values()))

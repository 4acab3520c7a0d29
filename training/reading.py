"""All rows of a run, or a sample of more than one machine holds."""

from __future__ import annotations

from training import data
from training.config import TrainingConfig
from training.data import Dataset


def read(config: TrainingConfig) -> Dataset:
    """Read the rows that a document names, and compare them with what is expected of them.

    Args:
        config: The document; if it is ``distributed``, this process is connected to a Ray.

    Raises:
        SourceUnavailable: They cannot be read.
        DataRejected: They are not as expected.
        InvalidDocument: The document does not fit them.
    """
    if config.distributed is None:
        return data.read(config)
    from training.distributed import survey

    return survey.read(config)

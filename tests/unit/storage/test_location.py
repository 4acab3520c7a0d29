import pickle

import pytest

from deployments.storage.errors import InvalidLocation, StorageUnreachable
from deployments.storage.location import Location


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("gs://bucket/rows", "must be a directory", id="unknown-scheme"),
        pytest.param("", "must be a directory", id="empty"),
        pytest.param("file://host/rows", "must be a directory", id="another-host"),
        pytest.param("s3:///rows", "needs a bucket", id="no-bucket"),
        pytest.param("s3://me:secret@bucket/rows", "must hold no credentials", id="credentials"),
        pytest.param("s3://bucket/rows?color=red", "unknown parameters color", id="unknown-parameter"),
    ],
)
def test_a_location_that_is_none_is_refused(uri, message):
    with pytest.raises(InvalidLocation, match=message) as caught:
        Location.of(uri)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", [InvalidLocation, StorageUnreachable])
def test_errors_survive_the_journey_between_processes(kind):
    error = kind("s3://bucket/rows", "a reason")
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))

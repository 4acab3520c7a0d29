import pytest

from deployments.batch.errors import LocationNotAllowed
from deployments.batch.policy import BatchPolicy

POLICY = BatchPolicy(
    locations=("s3://loans/in/", "/data/batches"),
    callbacks=("https://hooks.bank.example", "http://127.0.0.1:8080/"),
    callback_secret="env:SECRET",
)


@pytest.mark.parametrize("location", ["s3://loans/in", "s3://loans/in/2026/a.csv", "/data/batches/x"])
def test_below_an_open_place_is_open(location):
    POLICY.check_location("input_file", location)


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("s3://loans/inside", id="only-begins-like-it"),
        pytest.param("s3://loans/in/../secret", id="dots"),
        pytest.param("s3://loans/in//../../secret", id="slashes"),
        pytest.param("s3://other/in/a.csv", id="other-bucket"),
        pytest.param("s3://loans/in/?endpoint_override=http://169.254.169.254", id="other-endpoint"),
        pytest.param("s3://key:secret@loans/in/a", id="credentials"),
        pytest.param("/etc/passwd", id="file"),
        pytest.param("file:///data/batches/x", id="other-scheme"),
        pytest.param("/data/batches/../../etc/passwd", id="dots-in-a-path"),
        pytest.param("", id="nothing"),
    ],
)
def test_everything_else_is_closed(location):
    with pytest.raises(LocationNotAllowed, match="input_file"):
        POLICY.check_location("input_file", location)


def test_by_default_nothing_is_open():
    with pytest.raises(LocationNotAllowed, match="none; the operator opens them"):
        BatchPolicy().check_location("input_file", "s3://loans/in/a.csv")
    with pytest.raises(LocationNotAllowed):
        BatchPolicy().check_callback("https://hooks.bank.example/")


@pytest.mark.parametrize(
    "url", ["https://hooks.bank.example/a?b=c", "https://HOOKS.bank.example:443/", "http://127.0.0.1:8080/x"]
)
def test_callbacks_go_to_named_origins(url):
    POLICY.check_callback(url)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://hooks.bank.example/", id="other-scheme"),
        pytest.param("https://hooks.bank.example:8443/", id="other-port"),
        pytest.param("https://hooks.bank.example.evil.example/", id="longer-host"),
        pytest.param("https://hooks.bank.example@evil.example/", id="host-as-user"),
        pytest.param("https://user:word@hooks.bank.example/", id="credentials"),
        pytest.param("http://169.254.169.254/latest/meta-data", id="metadata-service"),
        pytest.param("http://127.0.0.1:8265/", id="ray-dashboard"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("hooks.bank.example", id="no-url"),
    ],
)
def test_and_nowhere_else(url):
    with pytest.raises(LocationNotAllowed, match="callback_url"):
        POLICY.check_callback(url)


def test_without_a_secret_there_is_no_callback():
    with pytest.raises(LocationNotAllowed):
        POLICY.model_copy(update={"callback_secret": None}).check_callback("https://hooks.bank.example/")

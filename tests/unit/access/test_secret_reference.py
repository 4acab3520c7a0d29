import pytest
from pydantic import TypeAdapter, ValidationError

from deployments.contracts import secret_reference
from deployments.contracts.secret_reference import SecretReference, SecretUnavailable


def test_a_secret_comes_from_the_environment():
    assert secret_reference.resolve("env:PASSWORD", {"PASSWORD": "hunter2"}) == "hunter2"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        pytest.param(b"hunter2", "hunter2", id="bare"),
        pytest.param(b"hunter2\n", "hunter2", id="line-end-of-an-editor"),
        pytest.param(b"hunter2\r\n", "hunter2", id="line-end-of-windows"),
        pytest.param(b" hunter2 ", " hunter2 ", id="spaces-belong-to-it"),
    ],
)
def test_a_secret_comes_from_a_file(tmp_path, content, secret):
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert secret_reference.resolve(f"file:{file}") == secret


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        pytest.param("env:PASSWORD", "env:PASSWORD is not set, or empty", id="not-set"),
        pytest.param("file:/nowhere/secret", "file:/nowhere/secret cannot be read: No such file", id="no-file"),
        pytest.param("file:/", "file:/ cannot be read", id="directory"),
        pytest.param("file:/dev/null", "file:/dev/null is an empty file", id="empty-file"),
    ],
)
def test_a_secret_that_is_not_there_is_named(reference, said):
    with pytest.raises(SecretUnavailable, match=said):
        secret_reference.resolve(reference, {})


def test_a_file_of_bytes_that_are_no_text_is_refused(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(SecretUnavailable, match="is not UTF-8"):
        secret_reference.resolve(f"file:{file}")


@pytest.mark.parametrize("text", ["hunter2", "env:hunter 2", "file:hunter2", "env:", ""])
def test_a_secret_in_the_place_of_a_reference_is_refused_and_not_repeated(text):
    with pytest.raises(SecretUnavailable) as refused:
        secret_reference.resolve(text, {})
    assert "hunter" not in str(refused.value)
    with pytest.raises(ValidationError, match="env:NAME or file:/absolute/path"):
        TypeAdapter(SecretReference).validate_python(text)

import pytest


@pytest.fixture
def root(tmp_path) -> str:
    """A place for a log."""
    return str(tmp_path / "log")

"""What every test may use."""

import os
import shutil

import pytest

_MISSING = "the program {program} is not on PATH; apt-get install {package}"


@pytest.fixture(scope="session")
def require_program():
    """Path of an optional system program: ``require_program("prometheus", package="prometheus")``.

    Where it is missing the test is skipped and says which Debian package has it. With CI=true that is a failure:
    .ci/run installs them all, and a skip nobody reads would hide that the test never runs.
    """

    def find(program, *, package):
        path = shutil.which(program)
        if path is None:
            message = _MISSING.format(program=program, package=package)
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find

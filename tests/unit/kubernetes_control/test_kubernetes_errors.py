import inspect
import pickle

import pytest

from deployments.contracts.errors import RaygateError
from deployments.kubernetes_control import errors

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_survives_the_journey_between_processes(kind):
    assert issubclass(kind, RaygateError)
    arguments = ["text"] * (len(inspect.signature(kind.__init__).parameters) - 1)
    error = kind(*arguments)
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))

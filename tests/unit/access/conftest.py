from datetime import UTC, datetime, timedelta

import pytest

from deployments.access import key_life
from deployments.access.key_life import Actor
from deployments.access.key_store import MemoryKeyStore
from deployments.access.roles import Role

OPERATOR = Actor("ada@workshop", "command-line")


class Clock:
    """A clock that stands still until it is moved; it stands for calendar and stopwatch."""

    def __init__(self, start=datetime(2026, 3, 1, 12, tzinfo=UTC)):
        self.today = start

    def __call__(self):
        return self.today.timestamp()

    def pass_by(self, **duration):
        self.today += timedelta(**duration)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory_store():
    return MemoryKeyStore()


@pytest.fixture
def mint(memory_store, clock):
    """Create a key in the memory store now."""

    def create(name="checkout", role=Role.PREDICTOR, **options):
        return key_life.create(memory_store, name, role, OPERATOR, clock.today, **options)

    return create

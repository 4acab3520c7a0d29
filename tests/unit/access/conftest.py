from datetime import UTC, datetime, timedelta

import pytest
from credentials import OPERATOR, policy

from deployments.access import key_life
from deployments.access.access import Access
from deployments.access.audit import MemoryAuditLog
from deployments.access.key_store import MemoryKeyStore
from deployments.access.roles import Role


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


@pytest.fixture
def begin():
    """Start access control on doubles; all of it is ended."""
    begun = []

    def start(store, log=None, fetch=None, **options):
        access = Access.on(
            policy(**options), store, log or MemoryAuditLog(), **({"fetch": fetch} if fetch else {})
        )
        begun.append(access)
        access.start()
        return access

    yield start
    for access in begun:
        access.close()


@pytest.fixture
def store():
    return MemoryKeyStore()


@pytest.fixture
def create(store):
    def key_of(name="checkout", role=Role.PREDICTOR):
        return key_life.create(store, name, role, OPERATOR, datetime.now(UTC))

    return key_of

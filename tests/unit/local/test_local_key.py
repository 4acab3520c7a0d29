"""The key of the person at this machine."""

from datetime import UTC, datetime, timedelta

import pytest

from deployments.access.key_store import MemoryKeyStore
from deployments.access.roles import Role
from ray_apps.local import local_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store():
    return MemoryKeyStore()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "local.key"


def test_the_first_time_a_key_is_made_that_only_its_owner_may_read(store, file):
    made = local_key.ensure(store, file, NOW)
    assert made.is_new
    assert file.read_text().strip() == made.text
    assert file.stat().st_mode & 0o777 == 0o600
    (kept,) = store.read()
    assert (kept.name, kept.role) == ("local", Role.ADMIN)


def test_a_second_start_uses_the_same_key(store, file):
    first = local_key.ensure(store, file, NOW)
    again = local_key.ensure(store, file, NOW + timedelta(days=20))
    assert (again.text, again.is_new) == (first.text, False)


@pytest.mark.parametrize("days", [pytest.param(29.5, id="ends-within-a-day"), pytest.param(31, id="has-ended")])
def test_a_key_that_ends_is_replaced(store, file, days):
    first = local_key.ensure(store, file, NOW)
    later = local_key.ensure(store, file, NOW + timedelta(days=days))
    assert later.is_new
    assert later.text != first.text
    assert local_key.read(file) == later.text


def test_a_key_whose_file_was_lost_is_replaced_and_the_old_one_ends(store, file):
    local_key.ensure(store, file, NOW)
    file.unlink()
    assert local_key.ensure(store, file, NOW).is_new
    assert [key.state(NOW + timedelta(seconds=1)) for key in store.read()].count("live") == 1

"""Who holds the stack's lock, and who may have it meanwhile."""

import threading

import pytest

from ray_apps.local.lock import CommandRunning, aside, exclusive, somebody_is_aside


@pytest.fixture
def lock_file(tmp_path):
    return tmp_path / "lock"


def others_may_have_it(lock_file):
    """Whether another thread gets the lock now."""
    found = []

    def attempt():
        try:
            with exclusive(lock_file):
                found.append(True)
        except CommandRunning:
            found.append(False)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return found[0]


def test_one_command_at_a_time_changes_a_stack(lock_file):
    with exclusive(lock_file):
        assert not others_may_have_it(lock_file)
    assert others_may_have_it(lock_file)


def test_who_gives_way_lets_others_in_while_it_waits_and_has_the_lock_again_afterwards(lock_file):
    with exclusive(lock_file, gives_way=True):
        assert not others_may_have_it(lock_file)
        with aside(lock_file):
            assert others_may_have_it(lock_file)
            assert somebody_is_aside(lock_file)
        assert not somebody_is_aside(lock_file)
        assert not others_may_have_it(lock_file)
    assert others_may_have_it(lock_file)


def test_who_did_not_say_so_gives_way_to_nobody(lock_file):
    with exclusive(lock_file), aside(lock_file):
        assert not others_may_have_it(lock_file)
        assert not somebody_is_aside(lock_file)


def test_without_the_lock_there_is_nothing_to_give(lock_file):
    with aside(lock_file):
        assert others_may_have_it(lock_file)


def test_who_waits_for_the_lock_gets_it_while_its_holder_is_aside(lock_file):
    got, may_end = threading.Event(), threading.Event()

    def wait():
        with exclusive(lock_file, wait=True):
            got.set()
            may_end.wait(10)

    waiting = threading.Thread(target=wait)
    with exclusive(lock_file, gives_way=True):
        waiting.start()
        with aside(lock_file):
            assert got.wait(10)
            may_end.set()
    waiting.join(10)

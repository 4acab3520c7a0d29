"""What callers notice when a piece of the cluster goes: of those that enter by a worker that stays."""

from deployments.contracts.model_version import Version

STABLE, CANDIDATE = Version(1, 0, 0), Version(1, 1, 0)
RENDERED = {STABLE: 90, CANDIDATE: 10}
DECIDED = {STABLE: 60, CANDIDATE: 40}
HAPROXY_SECONDS, DEADLINE_SECONDS = 12, 10


def share_of_the_candidate(requests, since=0.0):
    answers = requests.versions(since)
    return answers["1.1.0"] / answers.total()


def test_both_versions_answer_by_every_workers_haproxy_in_the_rendered_split(settled, load):
    for worker in settled.workers:
        requests = load(worker)
        requests.send(500)
        print(worker.name, requests, dict(requests.versions()))
        assert requests.failed == []
        assert 0.05 < share_of_the_candidate(requests) < 0.15


def test_a_killed_worker_fails_no_request_and_is_replaced(settled, load):
    entry, lost = settled.workers
    print(settled.spread())
    with load(entry) as requests:
        requests.await_answers(200)
        lost.kill()
        requests.await_answers(600)
        settled.await_settled()
        requests.await_answers(200)
    print(settled.spread())
    assert lost.name not in {worker.name for worker in settled.workers}
    assert requests.failed == []
    assert requests.worst_seconds < 10


def test_without_a_head_traffic_goes_on_and_the_split_stays_what_was_decided(settled, load):
    settled.change_split(DECIDED)
    decided, replicas = settled.policy(), settled.replica_names()
    entry, _ = settled.workers
    with load(entry) as requests:
        requests.await_answers(200)
        with settled.operator.without_a_head():
            requests.await_answers(1200)
        settled.await_settled()
        back = requests.now()
        requests.await_answers(600)
    assert requests.failed == []
    assert requests.worst_seconds < 10
    assert settled.policy() == decided
    assert 0.3 < share_of_the_candidate(requests, since=back) < 0.5
    assert settled.replica_names() == replicas
    settled.change_split(RENDERED)  # what came back still takes decisions
    assert settled.policy().policy_epoch == decided.policy_epoch + 1


def test_what_a_cut_off_worker_held_is_answered_by_another_once_haproxy_gives_up(settled, load):
    """No reset tells that it is gone: only the bound of HAProxy's patience does."""
    entry, lost = settled.workers
    print(settled.spread())
    with load(entry) as requests:
        requests.await_answers(200)
        lost.cut()
        requests.await_answers(600)
        settled.await_settled()
        requests.await_answers(200)
    assert lost.name not in {worker.name for worker in settled.workers}
    assert requests.failed == []
    assert requests.worst_seconds < HAPROXY_SECONDS + DEADLINE_SECONDS
    held = [one for one in requests.outcomes if one.seconds > DEADLINE_SECONDS]
    print(f"{len(held)} requests waited for longer than the deadline")
    assert len(held) < 10

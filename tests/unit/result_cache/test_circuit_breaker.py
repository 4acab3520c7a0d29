"""A store that fails is left alone, and found again."""

from deployments.result_cache.circuit_breaker import CircuitBreaker


def opened(at=100.0):
    breaker = CircuitBreaker(failures=3, pause_seconds=5)
    for _ in range(3):
        breaker.failed(at)
    return breaker


def test_failures_that_are_not_consecutive_do_not_open_it():
    breaker = CircuitBreaker(failures=3, pause_seconds=5)
    for _ in range(10):
        breaker.failed(0)
        breaker.failed(0)
        breaker.succeeded()
    assert breaker.allows(0)


def test_an_open_one_allows_one_trial_a_pause():
    breaker = opened(at=100)
    allowed = [now for now in range(100, 116) if breaker.allows(now)]
    assert allowed == [105, 110, 115]


def test_a_trial_that_succeeds_closes_it():
    breaker = opened(at=100)
    assert breaker.allows(105)
    breaker.succeeded()
    assert all(breaker.allows(105) for _ in range(3))


def test_a_late_failure_of_an_older_call_does_not_put_the_trial_off():
    breaker = opened(at=100)
    breaker.failed(104)
    assert breaker.allows(105)

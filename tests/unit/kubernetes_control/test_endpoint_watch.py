"""What the controller knows of the API's resources, whatever becomes of the connection."""

from kubernetes_namespace import endpoint, until


def names(operator):
    return set(operator.watch.resources())


def create(namespace, name):
    namespace.api.create("modelendpoints", endpoint(name))


def test_what_was_there_before_and_what_comes_is_known(namespace, start):
    create(namespace, "churn")
    operator = start()
    until(lambda: names(operator) == {"churn"})
    create(namespace, "fraud")
    until(lambda: names(operator) == {"churn", "fraud"})
    namespace.api.delete("modelendpoints", "churn")
    until(lambda: names(operator) == {"fraud"})


def test_news_wakes_the_controller(namespace, operator):
    until(lambda: operator.watch.has_listed)
    operator.changed.clear()
    create(namespace, "churn")
    assert operator.changed.wait(timeout=5)


def test_an_expired_watch_lists_again(namespace, operator):
    until(lambda: operator.watch.has_listed)
    create(namespace, "churn")
    until(lambda: names(operator) == {"churn"})
    namespace.api.delete("modelendpoints", "churn")
    create(namespace, "fraud")
    namespace.api.forget_history()
    until(lambda: names(operator) == {"fraud"})
    create(namespace, "lead")
    until(lambda: names(operator) == {"fraud", "lead"})


def test_what_happens_while_the_api_is_away_is_caught_up_with(namespace, operator):
    create(namespace, "churn")
    until(lambda: names(operator) == {"churn"})
    namespace.api.go_down()
    namespace.api.delete("modelendpoints", "churn")
    create(namespace, "fraud")
    namespace.api.is_down = False
    until(lambda: names(operator) == {"fraud"})


def test_news_of_an_earlier_moment_does_not_undo_what_was_written_since(namespace, operator):
    create(namespace, "churn")
    until(lambda: names(operator) == {"churn"})
    earlier = operator.watch.resources()["churn"]
    later = {**earlier, "metadata": {**earlier["metadata"], "resourceVersion": "1000"}}
    operator.watch.learn(later)
    operator.watch.learn(earlier)
    assert operator.watch.resources()["churn"] == later

"""What is remembered of a request: in the cache, in the log, and when feedback comes."""

import pytest
from gateway_stack import CANDIDATE, V1, V2

from deployments.contracts.traffic_policy import CachePolicy, RequestLog
from deployments.prediction_log.writer import is_sampled
from deployments.result_cache.memory_cache import MemoryCache


class TestCache:
    def test_a_row_that_comes_again_is_answered_without_the_pool(self, play, row):
        async def scenario(stack):
            one, two = (await stack.predict(row)).json(), (await stack.predict({**row, "Income": 0.250})).json()
            assert one["probability"] == two["probability"]
            assert one["prediction_id"] != two["prediction_id"]
            assert len(stack.pool(V1).calls) == 1
            assert (stack.counts(V1).cache_hits, stack.counts(V1).cache_misses) == (1, 1)

        play(scenario, cache=MemoryCache(3600, 100), policy={"cache": CachePolicy(enabled=True)})

    def test_of_a_list_the_pool_gets_the_rows_that_are_new(self, play, row):
        async def scenario(stack):
            rows = [{**row, "Income": income} for income in (0.1, 0.2, 0.3)]
            await stack.predict(rows[1])
            answer = (await stack.predict(rows)).json()["predictions"]
            assert [round(1 - entry["probability"], 3) for entry in answer] == [0.1, 0.2, 0.3]
            assert len(stack.pool(V1).calls[-1].columns) == 2

        play(scenario, cache=MemoryCache(3600, 100), policy={"cache": CachePolicy(enabled=True)})

    def test_it_is_off_unless_the_endpoint_wants_it(self, play, row):
        async def scenario(stack):
            await stack.predict(row)
            await stack.predict(row)
            assert len(stack.pool(V1).calls) == 2

        play(scenario, cache=MemoryCache(3600, 100))


class TestLog:
    def test_a_request_that_nothing_answered_is_remembered_with_its_rows(self, play, row):
        async def scenario(stack):
            stack.pool(V1).failures = [ConnectionError("down")] * 20
            await stack.predict(row)
            (record,) = stack.records.requests
            assert (record.outcome, record.scores, record.decision.served_version) == (
                "MODEL_UNAVAILABLE",
                None,
                "",
            )
            assert record.texts == ["fixed"]

        play(scenario)

    def test_an_endpoint_can_ask_for_none(self, play, row):
        async def scenario(stack):
            await stack.predict(row)
            assert stack.records.requests == []

        play(scenario, policy={"request_log": RequestLog(share=0)})

    def test_an_endpoint_can_ask_for_a_share_and_it_is_always_the_same_one(self, play, row):
        async def scenario(stack):
            answers = [(await stack.predict(row)).json()["prediction_id"] for _ in range(60)]
            kept = [record.prediction_ids[0] for record in stack.records.requests]
            assert kept == [name for name in answers if is_sampled(name, 0.5)]
            assert 10 < len(kept) < 50

        play(scenario, policy={"request_log": RequestLog(share=0.5)})


class TestFeedback:
    @staticmethod
    async def send(stack, key=None, **fields):
        headers = {"idempotency-key": key} if key else {}
        return await stack.request("POST", "/api/v1/feedback", json=fields, headers=headers)

    def test_it_is_joined_to_the_version_that_predicted(self, play, row):
        async def scenario(stack):
            predicted = (await stack.predict(row)).json()
            response = await self.send(stack, prediction_id=predicted["prediction_id"], label="bad", value=12.5)
            assert (response.status_code, response.json()["status"]) == (200, "recorded")
            (kept,) = stack.records.feedbacks
            assert (kept.version, kept.endpoint, kept.label, kept.value) == ("1.1.0", "credit-risk", "bad", 12.5)
            assert stack.counts(V2).feedback == 1

        play(scenario, draws=[CANDIDATE])

    def test_a_label_is_kept_as_the_model_writes_it(self, play, row):
        async def scenario(stack):
            stack.pool(V1).classes = (0, 1)
            await stack.start()
            predicted = (await stack.predict(row)).json()
            answer = await self.send(stack, prediction_id=predicted["prediction_id"], label=1.0)
            assert answer.status_code == 200
            (kept,) = stack.records.feedbacks
            assert repr(kept.label) == "1", "what is predicted is 1, and texts are compared"

        play(scenario)

    def test_the_same_message_counts_once(self, play, row):
        async def scenario(stack):
            predicted = (await stack.predict(row)).json()["prediction_id"]
            answers = [
                (await self.send(stack, "k", prediction_id=predicted, label="bad")).json() for _ in range(2)
            ]
            assert [answer["status"] for answer in answers] == ["recorded", "duplicate"]
            assert answers[0]["feedback_id"] == answers[1]["feedback_id"]
            assert len(stack.records.feedbacks) == stack.counts(V1).feedback == 1

        play(scenario)

    def test_a_key_that_is_used_for_other_content_is_refused(self, play, row):
        async def scenario(stack):
            predicted = (await stack.predict(row)).json()["prediction_id"]
            await self.send(stack, "k", prediction_id=predicted, label="bad")
            response = await self.send(stack, "k", prediction_id=predicted, label="good")
            assert (response.status_code, response.json()["code"]) == (409, "CONFLICT")

        play(scenario)

    def test_without_room_it_is_refused_and_may_come_again(self, play, row):
        async def scenario(stack):
            predicted = (await stack.predict(row)).json()["prediction_id"]
            stack.records.has_room = False
            refused = await self.send(stack, prediction_id=predicted, label="bad")
            stack.records.has_room = True
            taken = await self.send(stack, prediction_id=predicted, label="bad")
            assert (refused.status_code, taken.json()["status"]) == (503, "recorded")

        play(scenario)

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            pytest.param({"prediction_id": "x", "label": "bad"}, "prediction_id", id="no-id"),
            pytest.param(
                {"prediction_id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "label": "bad"}, "UUIDv7", id="uuid1"
            ),
            pytest.param({"label": "nice"}, "one of good, bad", id="unknown-label"),
            pytest.param({"label": None}, "label", id="nothing-said"),
        ],
    )
    def test_what_cannot_be_feedback_is_refused_by_name(self, play, row, fields, named):
        async def scenario(stack):
            predicted = (await stack.predict(row)).json()["prediction_id"]
            response = await self.send(stack, **{"prediction_id": predicted, **fields})
            assert response.status_code == 422
            assert named in response.json()["details"]

        play(scenario)

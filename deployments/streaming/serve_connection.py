"""Requests to the gateway of the same Ray cluster: by Serve's handle, several in a call, without HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deployments.contracts import joint_call
from deployments.contracts.errors import WireMismatch
from deployments.contracts.joint_call import JointAnswer, JointRequest
from deployments.streaming.gateway_connection import ANSWER_SECONDS, NO_ANSWER, Answer, seconds

CALLS = 2
"""Under way at a time: enough for every gateway to have one, few enough for records to gather meanwhile."""
REQUESTS_A_CALL = 32
BYTES_A_CALL = 3_000_000
"""Calls of Serve must stay below gRPC's 4 MB; no endpoint takes a larger body (``Limits.max_body_bytes``)."""
OVERHEAD_BYTES = 1024  # headers, and what pickling adds
_TOO_LARGE = Answer(413, b'{"code": "BODY_TOO_LARGE", "details": "more than 3000000 bytes"}', None)
Call = Callable[[dict[str, Any]], Awaitable[list[tuple[int, joint_call.Headers, bytes]]]]
_log = logging.getLogger("raygate.stream")
_Waiting = tuple[JointRequest, asyncio.Future[Answer]]


class ServeConnection:
    """Joins requests into calls.

    Those of one turn of the event loop leave together: at once while few calls are under way, else with all that
    come until one has ended.

    Args:
        where: The gateway, for people.
        call: Sends joined requests to some replica; raises whatever the transport raises.
    """

    def __init__(self, where: str, call: Call) -> None:
        self.where, self._call = where, call
        self._waiting: deque[_Waiting] = deque()
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """See GatewayConnection.

        Raises:
            WireMismatch: The gateway has become one of another release, which does not know such calls.
        """
        if len(body) > BYTES_A_CALL:
            return _TOO_LARGE
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        encoded = tuple((name.encode(), value.encode()) for name, value in headers.items())
        self._waiting.append((JointRequest(path, encoded, body), answer))
        asyncio.get_running_loop().call_soon(self._start_calls)  # records are read together: none leaves alone
        return await answer

    def _start_calls(self) -> None:
        while self._waiting and len(self._calls) < CALLS:
            if lot := self._taken():
                task = asyncio.create_task(self._send(lot))
                self._calls.add(task)
                task.add_done_callback(self._ended)

    def _taken(self) -> list[_Waiting]:
        """The next requests that fit into a call, without those that nobody waits for any more."""
        lot: list[_Waiting] = []
        size = 0
        while self._waiting and len(lot) < REQUESTS_A_CALL:
            request, answer = self._waiting[0]
            size += len(request.body) + OVERHEAD_BYTES
            if lot and size > BYTES_A_CALL:
                break
            self._waiting.popleft()
            if not answer.cancelled():
                lot.append((request, answer))
        return lot

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._start_calls()

    async def _send(self, lot: list[_Waiting]) -> None:
        answers: list[Answer] | WireMismatch = [NO_ANSWER] * len(lot)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                plain = joint_call.to_plain([request for request, _ in lot])
                answers = [_answer_of(JointAnswer(*told)) for told in await self._call(plain)]
        except (WireMismatch, AttributeError) as error:  # asked again in the same way, it would not know it either
            answers = WireMismatch("contracts of joint calls", str(joint_call.CONTRACT_VERSION), str(error))
        except Exception as error:  # no answer: each is asked again, alone or in other company
            _log.debug("no answer to %d requests: %s", len(lot), type(error).__name__)
        finally:
            _hand_out(lot, answers)


def _hand_out(lot: list[_Waiting], answers: list[Answer] | WireMismatch) -> None:
    for position, (_, answer) in enumerate(lot):
        if answer.done():
            continue
        if isinstance(answers, WireMismatch):
            answer.set_exception(answers)
        else:
            answer.set_result(answers[position])


def _answer_of(told: JointAnswer) -> Answer:
    retry_after = dict(told.headers).get(b"retry-after", b"")
    return Answer(told.status, told.body, seconds(retry_after.decode()))

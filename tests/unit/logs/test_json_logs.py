"""One schema over all processes."""

import io
import json
import logging

import numpy as np
import pytest

from deployments.logs import request_id
from deployments.logs import setup as logs
from deployments.logs.json_lines import event
from ray_apps.job_log import JobLog

_log = logging.getLogger("raygate.anything")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def written():
    """Lines of a process; the logging of the test run is as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger(logs.OURS)
    before, level = root.handlers, ours.level
    stream = io.StringIO()

    def lines():
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    lines.stream = stream
    yield lines
    root.handlers, ours.level = before, level


def test_a_line_has_the_schema_and_the_fields_of_its_event(written):
    logs.configure("pool", "INFO", written.stream)
    _log.info("took %d s", 3, extra=event("loaded", rows=np.int64(7), share=float("nan"), level="mine"))
    (line,) = written()
    assert {name: line[name] for name in ("level", "event", "process", "logger", "message", "rows", "share")} == {
        "level": "INFO",
        "event": "loaded",
        "process": "pool",
        "logger": "raygate.anything",
        "message": "took 3 s",
        "rows": 7,
        "share": None,
    }
    assert line["timestamp"].endswith("Z")
    assert "request_id" not in line


def test_an_exception_stays_one_line(written):
    logs.configure("pool", "INFO", written.stream)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        _log.exception("failed")
    (line,) = written()
    assert "ValueError: two\nlines" in line["exception"]


@pytest.mark.parametrize(
    ("level", "count"),
    [
        pytest.param("warning", 1, id="less-is-left-out"),
        pytest.param("DEBUG", 2, id="all-of-it"),
        pytest.param("loud", 3, id="an-unknown-one-counts-as-info-and-is-told"),
    ],
)
def test_the_level_decides_what_is_written(written, level, count):
    logs.configure("gateway", level, written.stream)
    _log.info("a")
    _log.warning("b")
    assert len(written()) == count


def test_libraries_are_heard_when_something_is_wrong_and_configuring_twice_writes_once(written):
    logs.configure("gateway", "DEBUG", written.stream)
    logs.configure("gateway", "DEBUG", written.stream)
    logging.getLogger("somebodys.library").info("chatter")
    logging.getLogger("somebodys.library").warning("trouble")
    assert [line["message"] for line in written()] == ["trouble"]


def test_a_person_at_a_terminal_reads_text(written):
    terminal = Terminal()
    logs.configure("gateway", "INFO", terminal)
    _log.info("hello")
    assert terminal.getvalue().endswith("INFO raygate.anything hello\n")


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        pytest.param(b"abc", "abc", id="as-it-came"),
        pytest.param(b"x" * 500, "x" * 128, id="no-longer-than-that"),
        pytest.param(b'"\n\xff', '"\n\xff', id="whatever-it-holds"),
    ],
)
def test_a_line_tells_which_request_it_belongs_to(written, header, shown):
    logs.configure("gateway", "INFO", written.stream)
    request_id.begin([(b"accept", b"*/*"), (request_id.HEADER, header)])
    _log.info("answered")
    request_id.begin([])
    assert written()[0]["request_id"] == shown


def test_a_job_that_nobody_watches_speaks_json(capsys, written):
    JobLog("training", "INFO").tell("half of it is done")
    line = json.loads(capsys.readouterr().err)
    assert (line["process"], line["event"], line["message"]) == ("training", "progress", "half of it is done")

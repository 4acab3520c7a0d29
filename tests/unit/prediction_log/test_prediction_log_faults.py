import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from logged_requests import request

from deployments.prediction_log.labels import read_feedback
from deployments.prediction_log.open_segments import OpenSegments
from deployments.prediction_log.reader import read
from deployments.prediction_log.segment_writer import LogLimits, SegmentWriter
from deployments.prediction_log.writer import LossNotice, PredictionLog
from deployments.storage.location import Location


def test_a_place_that_cannot_be_written_is_tried_again_and_complained_about_once(root, caplog, said):
    caplog.set_level(logging.INFO, "raygate.prediction_log")
    now = 0.0
    writer = SegmentWriter(
        Location.of(root), OpenSegments("gateway-1", None), LogLimits(segment_rows=1), clock=lambda: now
    )
    Path(root).write_text("a file where the log's directory would be")
    for sequence in range(8):
        writer.take((sequence, request(sequence, unit=None)))
        writer.seal()
        writer.write()
        now += 0.4
    assert (writer.segments, writer.failed_writes, writer.last_error) == (0, 3, "NotADirectoryError")
    assert writer.oldest == 0.0
    Path(root).unlink()
    now += 60
    writer.write()
    assert (writer.written_rows, writer.settled_rows, writer.oldest) == (8, 8, None)
    assert sorted(read(root)["sequence"].to_pylist()) == list(range(8))
    begun, ended = [one for one in said("raygate.prediction_log") if root in one and "personal" not in one]
    assert "cannot be written" in begun
    assert "can be written again" in ended


def test_what_cannot_be_written_until_the_end_is_counted_as_dropped(root):
    Path(root).write_text("a file where the log's directory would be")
    log = PredictionLog(root, "gateway-1")
    log.record(request(rows=3))
    log.close()
    log.record(request(rows=2))
    figures = log.figures()
    assert (figures.dropped_rows, figures.waiting_rows, figures.written_rows) == (5, 0, 0)


WRITE_FOREVER = """
import sys
sys.path.insert(0, sys.argv[2])
from logged_requests import request
from deployments.prediction_log.segment_writer import LogLimits
from deployments.prediction_log.writer import PredictionLog
import time
from dataclasses import replace

log = PredictionLog(sys.argv[1], "gateway-1", limits=LogLimits(segment_rows=50, segment_seconds=0.3))
for number in range(10**9):
    log.record(request(number))
    print(log.figures().written_rows, number + 1, flush=True)
    time.sleep(0.0005)
"""


def test_a_gateway_that_is_killed_loses_only_what_it_had_not_written(root):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, root, str(Path(__file__).parent)],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    deadline = time.monotonic() + 30
    for line in process.stdout:
        written_rows, recorded = map(int, line.split())
        if (written_rows >= 300 and recorded > written_rows) or time.monotonic() > deadline:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = read(root)["sequence"].to_pylist()
    assert len(kept) >= written_rows >= 300
    assert sorted(kept) == list(range(len(kept))), "nothing but the end is missing"


FILL_UP = """
import resource, signal, sys, time
sys.path.insert(0, sys.argv[2])
from logged_requests import request
from deployments.prediction_log.reader import read
from deployments.prediction_log.segment_writer import LogLimits
from deployments.prediction_log.writer import PredictionLog

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
log = PredictionLog(sys.argv[1], "gateway-1", limits=LogLimits(segment_rows=100, segment_seconds=0.1))
for number in range(100):
    log.record(request(number))
while not log.figures().failed_writes:
    time.sleep(0.01)
failed = log.figures()
assert failed.written_rows == 0 and failed.waiting_rows == 100, failed
assert read(sys.argv[1]).num_rows == 0
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.close()
print(log.figures().last_error, read(sys.argv[1]).num_rows)
"""


def test_a_disk_that_takes_no_more_hides_half_files_and_loses_nothing_once_there_is_room(root):
    done = subprocess.run(
        [sys.executable, "-c", FILL_UP, root, str(Path(__file__).parent)],
        capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["OSError", "100"], done.stderr
    assert not list(Path(root).rglob("*.tmp"))


def test_a_file_is_visible_when_it_is_whole_and_not_before(root):
    place, path = Location.of(root), "feedback/date=2024-11-21/20241121T120005-gateway-1-0000000000.parquet"
    with place.staged(path) as file:
        file.write_bytes(b"PAR1 half of it")
        assert not list(Path(root).rglob("*.parquet"))
        assert read_feedback(root).num_rows == 0
    assert place.files("feedback") == [path]
    with pytest.raises(KeyboardInterrupt), place.staged(path.replace("gateway-1", "gateway-2")):
        raise KeyboardInterrupt
    assert place.files("feedback") == [path]


def test_that_records_are_dropped_is_said_when_it_begins():
    notice = LossNotice(bound=10)
    turns = [(0, 10), (5, 10), (9, 10), (9, 8), (12, 10), (12, 4), (12, 0), (15, 10)]
    assert [notice.due(dropped, waiting) for dropped, waiting in turns] == [
        False, True, False, False, False, False, False, True,
    ]  # fmt: skip

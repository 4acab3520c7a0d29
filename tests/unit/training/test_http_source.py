"""A real HTTP server in this process, paging in every way that the source knows."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import TypeAdapter

from training.errors import SourceUnavailable
from training.sources import Source, http

RECORDS = [{"id": number, "city": {"name": "ab"[number % 2]}} for number in range(25)]
BASIC = "Basic " + base64.b64encode(b"me:s3cret").decode()
PROOFS = {"Bearer s3cret", BASIC}


class Api(BaseHTTPRequestHandler):
    busy = 0

    def do_GET(self):
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if not (self.headers.get("authorization") in PROOFS or self.headers.get("x-api-key") == "s3cret"):
            return self.answer(401, {})
        if Api.busy:
            Api.busy -= 1
            return self.answer(503, {}, {"Retry-After": "0"})
        size = int(asked.get("limit", 10))
        match address.path:
            case "/page":
                start = (int(asked["page"]) - 1) * size
            case "/offset" | "/counted":
                start = int(asked["offset"])
                if address.path == "/counted" and start >= len(RECORDS):
                    return self.answer(404, {})
                size = min(size, 10)
            case "/deaf":
                start = 0
            case "/cursor" | "/stuck":
                start = int(asked.get("cursor", 0))
            case "/link" | "/elsewhere":
                start = int(asked.get("from", 0))
            case "/html":
                return self.answer(200, None)
            case _:
                return self.answer(404, {})
        more = start + size < len(RECORDS)
        cursor = 0 if address.path == "/stuck" else start + size
        headers = {}
        if more and address.path == "/link":
            headers["Link"] = f'</link?from={start + size}>; rel="next"'
        if address.path == "/elsewhere":
            headers["Link"] = '<http://127.0.0.2:1/steal>; rel="next"'
        after = "10" if address.path == "/stuck" else str(cursor) if more else None
        body = {"data": {"items": RECORDS[start : start + size], "next": after}, "total": len(RECORDS)}
        return self.answer(200, body, headers)

    def answer(self, status, document, headers=None):
        body = b"<html>" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("API_SECRET", "s3cret")


BEARER = {"kind": "bearer", "token_from": "API_SECRET"}


def api(url, **options):
    described = {"kind": "http", "url": url, "records": "data.items", "authentication": BEARER, **options}
    return TypeAdapter(Source).validate_python(described)


@pytest.mark.parametrize(
    ("path", "paging"),
    [
        pytest.param("/page", {"kind": "page"}, id="page-numbers"),
        pytest.param("/offset", {"kind": "offset", "size": 10}, id="offsets"),
        pytest.param("/offset", {"kind": "offset", "size": 100}, id="offsets-of-an-api-that-caps-its-pages"),
        pytest.param("/counted", {"kind": "offset", "size": 5, "total": "total"}, id="offsets-up-to-the-total"),
        pytest.param("/cursor", {"kind": "cursor", "next": "data.next"}, id="cursors"),
        pytest.param("/link", {"kind": "link"}, id="link-header"),
    ],
)
def test_every_page_is_read_once(server, path, paging):
    rows = api(server + path, paging=paging).read()
    assert rows["id"].tolist() == list(range(25))
    assert rows["city.name"].tolist()[:3] == ["a", "b", "a"]


def test_parameters_go_with_every_request(server):
    rows = api(server + "/page", paging={"kind": "page"}, parameters={"limit": 3}).read()
    assert len(rows) == 25


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(BEARER, id="bearer"),
        pytest.param({"kind": "basic", "user": "me", "password_from": "API_SECRET"}, id="basic"),
        pytest.param({"kind": "header", "name": "X-Api-Key", "value_from": "API_SECRET"}, id="header"),
    ],
)
def test_who_asks_is_proved(server, proof):
    assert len(api(server + "/cursor", authentication=proof).read()) == 10


def test_a_busy_server_is_asked_again(server):
    Api.busy = http.ATTEMPTS - 1
    assert len(api(server + "/cursor").read()) == 10


def test_a_server_that_stays_busy_is_an_error(server):
    Api.busy = http.ATTEMPTS
    with pytest.raises(SourceUnavailable, match="answers 503"):
        api(server + "/cursor").read()


@pytest.mark.parametrize(
    ("path", "options", "says"),
    [
        pytest.param("/none", {}, "answers 404", id="not-found"),
        pytest.param("/cursor", {"authentication": None}, "answers 401", id="nobody"),
        pytest.param(
            "/cursor",
            {"authentication": {"kind": "bearer", "token_from": "NOT_SET_ANYWHERE"}},
            "NOT_SET_ANYWHERE.* is not set",
            id="no-secret",
        ),
        pytest.param("/html", {}, "does not answer with JSON", id="not-json"),
        pytest.param("/cursor", {"records": "data.rows"}, "at 'data.rows' is NoneType, not a list", id="no-list"),
        pytest.param("/elsewhere", {"paging": {"kind": "link"}}, "127.0.0.2, which must not get", id="other-host"),
        pytest.param("/stuck", {"paging": {"kind": "cursor", "next": "data.next"}}, "names itself", id="endless"),
        pytest.param(
            "/deaf", {"paging": {"kind": "offset"}}, "the 25 records of the page before again.*'offset'", id="deaf"
        ),
        pytest.param("/deaf", {"paging": {"kind": "page"}}, "page before again; .*'page'", id="deaf-to-pages"),
        pytest.param(
            "/offset", {"paging": {"kind": "offset", "total": "count"}}, "at 'count' is NoneType", id="no-total"
        ),
        pytest.param(
            "/page", {"paging": {"kind": "page"}, "pages_at_most": 2}, "more than 2 pages", id="too-many"
        ),
    ],
)
def test_an_api_that_is_not_as_described_says_how(server, path, options, says):
    with pytest.raises(SourceUnavailable, match=says):
        api(server + path, **options).read()


def test_a_server_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(http, "FIRST_PAUSE_S", 0.0)
    with pytest.raises(SourceUnavailable, match=r"http://127.0.0.1:1/x.* refused"):
        api("http://127.0.0.1:1/x").read()

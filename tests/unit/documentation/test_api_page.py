"""The API's page says what the code says."""

import re
from pathlib import Path

import pytest

from deployments.access import errors as refusals
from deployments.access.roles import Permission
from deployments.access.routes import TABLE
from deployments.batch.errors import JobsUnavailable
from deployments.contracts import endpoint, errors
from deployments.contracts.traffic_policy import Limits
from deployments.gateway import problems
from deployments.gateway.body import BodyTooSlow
from deployments.gateway.problems import Code

DOCUMENTS = Path(__file__).parents[3] / "docs"
OCCASIONS = {
    Code.VALIDATION_ERROR: errors.InvalidRows(()),
    Code.MALFORMED_REQUEST: errors.MalformedRequest("not JSON"),
    Code.BODY_TOO_LARGE: errors.BodyTooLarge(1024),
    Code.BODY_TOO_SLOW: BodyTooSlow(30.0),
    Code.UNSCORABLE_ROW: errors.RowFailed("m_v1.0.0", "not_finite"),
    Code.CONFLICT: errors.FeedbackConflict("key"),
    Code.UNAUTHENTICATED: refusals.Unauthenticated("no key"),
    Code.FORBIDDEN: refusals.Forbidden("shop", "predictor", "pin a version"),
    Code.NOT_FOUND: refusals.UnlistedRoute("GET", "/nothing", ()),
    Code.MODEL_NOT_FOUND: errors.UnknownEndpoint("nobody", ()),
    Code.METHOD_NOT_ALLOWED: refusals.UnlistedRoute("GET", "/predict", ("POST",)),
    Code.RATE_LIMITED: refusals.RateLimited("shop", 1.0, 1.0),
    Code.QUOTA_EXCEEDED: refusals.QuotaExceeded("shop", 1, 0, 1.0),
    Code.OVERLOADED: errors.Overloaded("m_v1.0.0", 1),
    Code.MODEL_UNAVAILABLE: errors.PoolUnavailable("m_v1.0.0", 4, "gone"),
    Code.ACCESS_UNAVAILABLE: refusals.AccessUnavailable("no keys were read"),
    Code.CONTROL_UNAVAILABLE: errors.ControlUnavailable("ConnectError"),
    Code.JOBS_UNAVAILABLE: JobsUnavailable("http://127.0.0.1:8265", "does not answer"),
    Code.DEADLINE_EXCEEDED: errors.DeadlineExceeded(1.0),
    Code.MODEL_ERROR: errors.RowFailed("m_v1.0.0", "raised"),
    Code.TRANSFORMER_ERROR: errors.TransformerFailed("m_v1.0.0", "pre", "it raised KeyError"),
    Code.INTERNAL_ERROR: ZeroDivisionError(),
}


@pytest.fixture(scope="module")
def page():
    return (DOCUMENTS / "api.md").read_text()


@pytest.mark.parametrize("code", list(Code))
def test_every_code_is_listed_with_its_status(page, code):
    told = problems.problem(OCCASIONS[code])
    assert told.code is code
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{code}` |")]
    _, _, status, _, again, _ = (cell.strip() for cell in row.split("|"))
    assert int(status) == told.status
    assert ("`Retry-After`" in again) == (told.retry_after > 0)


def test_no_code_is_listed_that_does_not_exist(page):
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == {code.value for code in Code}


def test_every_route_is_listed_with_the_permission_that_it_takes(page):
    elsewhere = ("/v2", "/api/v1/admin", "/docs/oauth2-redirect")
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    for route in TABLE:
        if not route.path.startswith(elsewhere):
            assert any(
                f"`{route.method} {route.path}`" in line and f"| {route.permission} |" in line for line in lines
            ), route
    listed = re.findall(r"^\| `(?:GET|POST) .*? \| ([^|]+) \|", page, re.MULTILINE)
    assert listed
    assert set(listed) <= set(Permission)


def test_endpoint_files_of_the_page_are_accepted(page):
    examples = re.findall(r"```yaml\n(apiVersion: .*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        endpoint.parse(example, "docs/api.md")


def test_every_limit_is_listed_with_its_default(page):
    listed = dict(re.findall(r"^\| `([a-z]\w+)` \| ([\d.]+) \|", page, re.MULTILINE))
    defaults = {field.alias or name: field.default for name, field in Limits.model_fields.items()}
    assert {name: float(value) for name, value in listed.items()} == defaults


def test_the_way_of_a_request_leads_through_files_that_exist():
    gateway = DOCUMENTS.parent / "deployments" / "gateway"
    steps = re.findall(r"^\| \d+ \| (.+?) \|", (DOCUMENTS / "architecture.md").read_text(), re.MULTILINE)
    assert len(steps) > 10
    for name in (name for step in steps for name in re.findall("`(.+?)`", step)):
        assert (gateway / f"{name}.py").is_file(), name


@pytest.mark.parametrize("document", sorted(DOCUMENTS.glob("*.md")), ids=lambda document: document.name)
def test_links_lead_somewhere(document):
    for target, anchor in re.findall(r"\]\(([\w./-]+\.md)?(?:#([\w-]+))?\)", document.read_text()):
        linked = document.parent / (target or document.name)
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

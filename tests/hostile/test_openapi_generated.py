"""Is there a request that the OpenAPI file allows, or forbids, and the answer is not as it says?

schemathesis draws requests from `infra/apim/openapi.yaml`, valid and invalid ones, and sends them
to the Functions host and to the gateway. The draw is seeded and short; `ORDERS_FUZZ_EXAMPLES=300`
draws so many of each kind for each operation, and `ORDERS_FUZZ_SEED` others.
"""

import os
import re
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.support.contract import OPENAPI
from tests.support.hostile import Target, target

EXAMPLES = int(os.environ.get("ORDERS_FUZZ_EXAMPLES", "5"))
SEED = int(os.environ.get("ORDERS_FUZZ_SEED", "20261120"))


def _document() -> schemathesis.BaseSchema:
    config = SchemathesisConfig(seed=SEED)
    config.projects.override.generation.update(
        max_examples=EXAMPLES,
        with_security_parameters=False,
        # A parameter that is not known is passed over, as everywhere on the web.
        allow_extra_parameters=False,
        database="none",
    )
    # The host answers 404 to a method that no function has, and the gateway to one of no operation.
    config.projects.override.checks.unsupported_method.enabled = False
    return schemathesis.openapi.from_path(OPENAPI, config=config)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("generated")) as found:
        yield found


@pytest.fixture(scope="module", params=["host", "gateway"])
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as found:
        yield found


document = _document()


@document.parametrize()
def test_an_answer_is_as_documented(
    case: schemathesis.Case, running: Target, door: str, session: requests.Session
) -> None:
    is_open = case.operation.definition.raw.get("security") == []
    answer = case.call(
        base_url=running.base(door),
        session=session,
        # A key that is given is looked at, where none is needed too.
        headers={} if is_open else running.headers(door),
        timeout=30,
    )
    if answer.status_code == 202 and answer.headers.get("preference-applied") == ["return=minimal"]:
        assert answer.content == b""
        return
    if answer.status_code == 414:
        # The server's own bound, which is no matter of the file.
        assert len(answer.request.url or "") > 8000
        return
    excluded = list(_beyond_the_file(case))
    if "limit" in case.query and not re.search(r"[?&]limit=[^&]", answer.request.url or ""):
        # `allowEmptyValue`: an empty one is as good as none, which schemathesis draws as invalid.
        excluded.append(negative_data_rejection)
    case.validate_response(answer, excluded_checks=excluded)
    if answer.status_code == 202:
        running.remember(202, answer.json())


def _beyond_the_file(case: schemathesis.Case) -> Iterator[schemathesis.CheckFunction]:
    """What the file cannot say of a request, and so cannot be checked by it."""
    operation = case.operation.definition.raw["operationId"]
    if operation == "FetchOrders" and case.query.get("continuation"):
        # Only one that was given out is taken.
        yield positive_data_acceptance
    if operation == "ReplayOrder" and isinstance(case.body, dict) and "order" in case.body:
        # Its id must be that of the path.
        yield positive_data_acceptance
    if operation == "ReplayFailedOrders" and isinstance(case.body, dict):
        times = (str(case.body.get(name)) for name in ("failedAfter", "failedBefore"))
        if any(time.startswith(("0001-01-01", "9999-12-31")) for time in times):
            # Its offset may lead out of the calendar.
            yield positive_data_acceptance
    if operation in {"SubmitOrders", "ReplayOrder"}:
        # An order with faults is taken, and ends as rejected with each of them.
        yield negative_data_rejection


def test_what_was_acknowledged_is_there(running: Target) -> None:
    assert running.taken
    assert running.lost() == {}

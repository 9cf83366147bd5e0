"""Schemathesis against the running authority: whatever comes, the answer is as documented, and tells no secret."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from tests.bank import POLICY, Visited, mounted
from tests.interop.customer import Customer
from tests.size import THOROUGH, tries
from tests.web.agents import HELPER, LOCAL, new_key, with_agents

from deputize.agent import AgentKey
from deputize.app import Deputize
from deputize.log.log import Log
from deputize.protocol.canonical import JsonError, check
from deputize.settings import loads
from deputize.testing.server import Site
from deputize.web.endpoints import ENDPOINTS, WELL_KNOWN
from deputize.web.openapi import document
from deputize.web.refusals import Dialect, Refusals

pytestmark = pytest.mark.usefixtures("streams_end_at_once")

PROVING = {"authorization", "cookie", "dpop", "deputize-csrf", "deputize-guard", "deputize-page"}
CONFIG = {
    "seed": 1,
    "generation": {"deterministic": True, "database": "none"},
    "checks": {"positive_data_acceptance": {"enabled": False}},  # names of nobody are well-formed, too
}


def described(systematic: bool) -> schemathesis.BaseSchema:
    """Load our OpenAPI document; `systematic` tries each way to miss each schema besides what chance makes up."""
    config = {**CONFIG, "phases": {"coverage": {"enabled": systematic}}}
    told = document(f"{LOCAL}/deputize", ENDPOINTS, WELL_KNOWN)
    api = schemathesis.openapi.from_dict(told, config=schemathesis.Config.from_dict(config))
    return api.exclude(path_regex="^/.well-known/")


STRANGERS = described(systematic=THOROUGH)  # most of it is refused before anything else is looked at
CUSTOMERS = described(systematic=True)
REPAIRED = ("ignored_auth", "missing_required_header", "negative_data_rejection")
PATIENCE = 60  # seconds for one answer, on a machine that has other things to do
ANSWERED = "answered already"  # by another example of the same test
SECRET = 16  # characters from which on a value appears nowhere by chance
bounded = settings(
    max_examples=tries(6, 10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass
class Witness:
    """Sends what Schemathesis makes up, and looks into every answer and every line of the log for secrets."""

    bank: Visited
    log: Log
    lines: io.BytesIO

    def send(self, case: Any, headers: dict[str, str], excluded: tuple[str, ...] = ()) -> Any:
        case.headers.pop("Content-Length", None)  # a wrong one is answered by uvicorn, before anybody else
        read = self.lines.tell()
        answer = case.call(base_url=self.bank.issuer, headers=headers, timeout=PATIENCE)
        case.validate_response(answer, excluded_checks=[CHECKS.get_one(name) for name in excluded])
        assert self.log.flush()
        noted = self.lines.getvalue()[read:].decode()
        for secret in secrets_in(answer.request):
            assert secret not in noted
            if answer.status_code >= 400:
                assert secret not in answer.text
                assert secret not in str(answer.headers)
        return answer


def secrets_in(request: Any) -> set[str]:
    """Collect the tokens, proofs, cookies and assertions of a request."""
    sent = {value for name, value in request.headers.items() if name.lower() in PROVING}
    body = request.body.decode(errors="replace") if isinstance(request.body, bytes) else request.body or ""
    sent |= set(re.findall(r"[\w-]+\.[\w-]+\.[\w-]+", body))
    return {secret for text in sent for secret in re.split(r"[ =;]+", text) if len(secret) >= SECRET}


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """Serve a bank that has registered an agent and the key of its API."""
    keys = {HELPER: new_key(), "api": new_key()}
    text = with_agents(POLICY, {HELPER: AgentKey(keys[HELPER])}, api=AgentKey(keys["api"]))
    lines = io.BytesIO()
    log = Log(lines)

    def app(port: int) -> Starlette:
        policy = loads(text.replace(LOCAL, f"http://localhost:{port}").encode())
        bank = Deputize(policy, tmp_path_factory.mktemp("var"), log=log)
        served = mounted(bank)
        refusals = Refusals(lambda: policy, log)

        async def nowhere(request: Request, error: Exception) -> Response:
            return refusals.not_routed(error, Dialect.PROBLEM, request)

        served.add_exception_handler(HTTPException, nowhere)
        return served

    with Site(app) as site:
        yield Witness(Visited(origin=site.url, keys=keys), log, lines)


@pytest.fixture
def customer(witness: Witness) -> Customer:
    return Customer(witness.bank)


@STRANGERS.parametrize()
@bounded
def test_whatever_a_stranger_sends_is_answered_as_documented(
    case: Any, witness: Witness
) -> None:  # ERR-1, ERR-3
    witness.send(case, {})


@CUSTOMERS.parametrize()
@bounded
def test_whatever_a_customer_sends_is_answered_as_documented(
    case: Any, witness: Witness, customer: Customer
) -> None:  # ERR-1, ERR-3
    """With good credentials and names, so that it is the rest that is looked at."""
    for name in case.path_parameters:
        case.path_parameters[name] = customer.name(case.path)
    for part in (case.query, case.body):
        for name in part if isinstance(part, dict) else ():
            good = customer.value(name)
            part[name] = part[name] if good is None else good
    wanted = [header.name for header in case.operation.headers]
    headers = customer.headers(case.method, case.path, case.formatted_path, wanted)
    answer = witness.send(case, headers, REPAIRED)
    customer.agent.nonce = answer.headers.get("dpop-nonce", [customer.agent.nonce])[0]
    if case.meta.generation.mode is GenerationMode.POSITIVE and is_strict(case.body):
        assert b'"invalid_request"' not in answer.content or ANSWERED in answer.text, answer.text


def is_strict(body: Any) -> bool:
    """Tell whether a generated body is one that JSON-1 and JSON-2 allow, which a schema cannot say."""
    try:
        check(body)
    except JsonError:
        return False
    return True

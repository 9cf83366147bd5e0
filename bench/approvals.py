"""Approvals without HTTP (SEP-2672 §4.8): the check on a snapshot, and the transaction that consumes the challenge."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from itertools import count

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from deputize import Deputize
from deputize.protocol.canonical import Json, canonicalize, s256
from deputize.protocol.errors import Refusal, or_refuse
from deputize.protocol.ids import UserId
from deputize.protocol.question import Text
from deputize.service import approvals
from deputize.service.approvals import Verified
from deputize.service.calls import approving
from deputize.service.calls.request import MCP, CallRequest, Principal
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page
from deputize.web import answers

from .figures import Figure
from .people import IBAN
from .site import Bank

TIMES = 1_000
"""How many approvals a round has."""

AT_ONCE = 16
_ORIGIN = "http://localhost:1"  # nobody calls there


@dataclass(frozen=True, slots=True)
class _Signed:
    """A call and what its user signed for it."""

    request: CallRequest
    text: Text
    evidence: dict[str, Json]


def measure(bank: Bank, rounds: int) -> dict[str, Figure]:
    """Measure on the core where it is called."""
    found = asyncio.run(_rounds(bank.authority(_ORIGIN), rounds))
    return {
        "check_us": Figure.of(1e6 * check for check, _ in found),
        "checks_rps": Figure.of(rate for _, rate in found),
    }


async def _rounds(deputize: Deputize, rounds: int) -> list[tuple[float, float]]:
    """Return of each round the seconds that one check takes, and how many approvals a second are used up."""
    http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(Starlette(routes=[Mount("/deputize", deputize)]))
    )
    page = Page(http, f"{_ORIGIN}/deputize", _ORIGIN, SoftAuthenticator(_ORIGIN, counting=False))
    user_id = (await page.sign_up()).json()["user"]["id"]
    numbers, found = count(1), []
    for _ in range(1 + rounds):  # the first to warm up
        work = [await _signed(deputize, page, user_id, next(numbers)) for _ in range(TIMES)]
        started = time.perf_counter()
        for each in work:
            _check(deputize, each)
        checked = (time.perf_counter() - started) / TIMES
        started = time.perf_counter()
        await asyncio.gather(*(_use_up(deputize, work) for _ in range(AT_ONCE)))
        found.append((checked, TIMES / (time.perf_counter() - started)))
    await http.aclose()
    await deputize.aclose()
    return found[1:]


async def _signed(deputize: Deputize, page: Page, user_id: str, number: int) -> _Signed:
    """Have a challenge minted for a call of the user himself, and sign it."""
    authority = deputize.authority
    now = authority.now()
    arguments: dict[str, Json] = {"amount": number / 100, "iban": IBAN, "name": "Ada Lovelace"}
    canonical = canonicalize(arguments)
    request = CallRequest(
        way=MCP,
        principal=Principal(UserId(user_id), None),
        tool="transfer_money",
        arguments=arguments,
        canonical=canonical,
        args_s256=s256(canonical),
        definition_s256="",
    )
    minted = await authority.store.transact(
        lambda tx: approving.challenge_ahead(tx, authority.moment(), request)
    )
    if isinstance(minted, Refusal):
        raise RuntimeError(minted.detail)
    return _Signed(request, minted.text, page.evidence(answers.envelope(minted, now)))


def _check(deputize: Deputize, signed: _Signed) -> Verified:
    authority = deputize.authority
    verdict = deputize.store.look(
        lambda tx: approving.check_ahead(tx, authority.moment(), signed.request, signed.evidence)
    )
    if not isinstance(verdict, Verified):
        raise RuntimeError(verdict)
    return verdict


async def _use_up(deputize: Deputize, work: list[_Signed]) -> None:
    """Check and consume for as long as there is work."""
    while work:
        signed = work.pop()
        verdict, at = _check(deputize, signed), deputize.authority.moment()
        conclude = partial(
            approvals.conclude, at=at, verdict=verdict, action=verdict.action, text=signed.text
        )
        or_refuse(await deputize.store.transact(conclude))

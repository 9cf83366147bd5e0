"""SEP-2672 §4.8: the order of the steps. Where two fail at once, the earlier one answers (MCP-9, APPR-3).

Each fault spoils one thing about a good call; two of them are put into one, for every pair that can be built. With
the evidence absent (step 1) nothing is left in which another step could fail, so step 1 stands alone.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
from tests.web.mcp.conftest import TRANSFER, Deputy, LiveBank, passkey, refused

from deputize.protocol.canonical import Json, b64u
from deputize.testing.authenticator import SoftAuthenticator

pytestmark = pytest.mark.anyio

STEPS = {
    2: "missing_evidence",
    3: "unsupported_method",
    4: "challenge_unknown",
    5: "challenge_consumed",
    6: "challenge_expired",
    7: "challenge_wrong_tool",
    8: "unknown_credential",
    9: "authenticator_class_mismatch",
    10: "signature_verification_failed",
    11: "signature_counter_regression",
    12: "argument_hash_mismatch",
}
CLOSE: dict[str, Json] = {"why": "moving"}


@dataclass
class Person:
    """A user with both kinds of passkey, each of which has been used once, so that its counter counts."""

    deputy: Deputy
    roaming: SoftAuthenticator
    internal: SoftAuthenticator

    @classmethod
    async def at(cls, live: LiveBank) -> "Person":
        deputy = await live.deputy()
        person = cls(deputy, await passkey(deputy.page, "usb"), deputy.page.authenticator)
        await person.call("close_account", CLOSE, await person.signed("close_account", CLOSE, person.roaming))
        await person.call(
            "transfer_money", TRANSFER, await person.signed("transfer_money", TRANSFER, person.internal)
        )
        return person

    async def signed(self, tool: str, arguments: Any, device: SoftAuthenticator) -> dict[str, Any]:
        envelope = await self.deputy.challenge(tool, arguments)
        return evidence(envelope, device)

    async def call(self, tool: str, arguments: Any, proof: dict[str, Any]) -> None:
        assert not (await self.deputy.call(tool, arguments, proof)).is_error


def evidence(envelope: dict[str, Any], device: SoftAuthenticator) -> dict[str, Any]:
    """Sign a challenge with this device, whatever the challenge allows."""
    name = next(iter(device.keys))
    response = device.get(envelope["requestOptions"], credential_id=name)
    return {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}


async def faulty(live: LiveBank, faults: set[int]) -> None:
    """Close an account with all these faults in one call."""
    user, stranger = await Person.at(live), await Person.at(live)
    asker = stranger if 4 in faults else user
    tool, arguments = ("transfer_money", TRANSFER) if 7 in faults else ("close_account", CLOSE)
    envelope = await asker.deputy.challenge(tool, arguments)
    if 5 in faults:
        await asker.call(tool, arguments, evidence(envelope, asker.roaming))
    signer = stranger if 8 in faults else user
    device = signer.internal if 9 in faults else signer.roaming
    if 11 in faults:
        next(iter(device.keys.values())).count = 0  # which makes the next one 1, and 1 was seen
    proof = evidence(envelope, device)
    if 10 in faults:
        proof["response"]["response"]["signature"] = b64u(b"0" * 70)
    if 3 in faults:
        proof["method"] = "pin"
    if 2 in faults:
        del proof["response"]
    if 6 in faults:
        live.clock.forward(60)
    await user.deputy.call("close_account", {"why": "staying"} if 12 in faults else CLOSE, proof)


async def test_without_a_fault_it_runs(live: LiveBank) -> None:
    await faulty(live, set())
    assert live.ledger.done[-1] == ("close_account", CLOSE)


@pytest.mark.parametrize("step", STEPS)
async def test_each_fault_alone_has_its_own_reason(live: LiveBank, step: int) -> None:
    async with refused(STEPS[step]):
        await faulty(live, {step})


@pytest.mark.parametrize(("earlier", "later"), list(combinations(STEPS, 2)))
async def test_the_earlier_of_two_answers(live: LiveBank, earlier: int, later: int) -> None:
    done = len(live.ledger.done)
    async with refused(STEPS[earlier]):
        await faulty(live, {earlier, later})
    ran = 4 + (later == 5 or earlier == 5)  # what prepared the two users, and what consumed the challenge
    assert len(live.ledger.done) == done + ran


async def test_all_at_once_the_first_answers(live: LiveBank) -> None:
    async with refused("missing_evidence"):
        await faulty(live, set(STEPS))

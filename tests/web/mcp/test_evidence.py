"""Evidence on `tools/call`: SEP-2672 §4.5 and the fourteen steps of §4.8, one by one."""

from typing import Any

import pytest
from tests.web.mcp.conftest import (
    ALL,
    CHAIN,
    LEGACY,
    MODERN,
    TRANSFER,
    Deputy,
    LiveBank,
    passkey,
    refused,
)

from deputize.protocol.canonical import b64u, unb64u

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


@BOTH
async def test_4_5_a_call_with_good_evidence_runs(live: LiveBank, mode: str) -> None:
    deputy = await live.deputy(mode)
    result = await deputy.approved()
    assert (result.is_error, result.structured_content) == (False, {"tool": "transfer_money", "number": 1})
    assert live.ledger.done == [("transfer_money", TRANSFER)]


@pytest.mark.parametrize("evidence", [None, {}])
async def test_step_1_evidence_must_be_present(live: LiveBank, deputy: Deputy, evidence: Any) -> None:
    async with refused("missing_evidence"):
        await deputy.call(evidence=evidence)


@pytest.mark.parametrize("left_out", ["method", "challengeId", "response"])
async def test_step_2_evidence_must_be_whole(live: LiveBank, deputy: Deputy, left_out: str) -> None:
    evidence = deputy.evidence(await deputy.challenge())
    del evidence[left_out]
    async with refused("missing_evidence"):
        await deputy.call(evidence=evidence)


@pytest.mark.parametrize(
    "changed",
    [
        {"method": 5},
        {"challengeId": None},
        {"challengeId": ["x"]},
        {"response": "x"},
        {"response": {"id": 5}},
    ],
)
async def test_step_2_evidence_must_be_well_formed(
    live: LiveBank, deputy: Deputy, changed: dict[str, Any]
) -> None:
    evidence = deputy.evidence(await deputy.challenge(), **changed)
    async with refused("missing_evidence"):
        await deputy.call(evidence=evidence)


@pytest.mark.parametrize("evidence", ["yes", 1, True, ["webauthn"]])
async def test_step_2_evidence_must_be_an_object(live: LiveBank, deputy: Deputy, evidence: Any) -> None:
    async with refused("missing_evidence"):
        await deputy.call(evidence=evidence)


@pytest.mark.parametrize("method", ["WebAuthn", "pin", ""])
async def test_step_3_the_method_must_be_webauthn(live: LiveBank, deputy: Deputy, method: str) -> None:
    async with refused("unsupported_method"):
        await deputy.call(evidence=deputy.evidence(await deputy.challenge(), method=method))


@pytest.mark.parametrize("challenge_id", ["chl_AAAAAAAAAAAAAAAAAAAAAA", "", "x" * 1000, "chl_'; --"])
async def test_step_4_the_challenge_must_be_known(live: LiveBank, deputy: Deputy, challenge_id: str) -> None:
    evidence = deputy.evidence(await deputy.challenge(), challengeId=challenge_id)
    async with refused("challenge_unknown"):
        await deputy.call(evidence=evidence)


async def test_step_4_another_users_challenge_is_unknown(live: LiveBank, deputy: Deputy) -> None:
    other = await live.deputy()
    evidence = deputy.evidence(await deputy.challenge())
    theirs = other.evidence(await other.challenge())
    async with refused("challenge_unknown"):
        await deputy.call(evidence=theirs)
    async with refused("challenge_unknown"):
        await other.call(evidence=evidence)
    assert not (await other.call(evidence=theirs)).is_error


async def test_step_4_a_challenge_of_the_users_other_grant_is_unknown(live: LiveBank, deputy: Deputy) -> None:
    """MCP-8: the challenge belongs to the grant."""
    evidence = deputy.evidence(await deputy.challenge())
    await deputy.agent.deputized(deputy.page, ALL)  # which supersedes the first
    async with refused("challenge_unknown"):
        await deputy.call(evidence=evidence)


async def test_step_4_challenges_of_pages_are_unknown(live: LiveBank, deputy: Deputy) -> None:
    path = "/account/enrollment-window"
    minted = await deputy.page.send("POST", f"{path}/challenge", page=False)
    async with refused("challenge_unknown"):
        await deputy.call(evidence=deputy.page.evidence(minted.json()))


async def test_step_5_the_challenge_must_not_have_been_consumed(live: LiveBank, deputy: Deputy) -> None:
    """§4.5: each challenge is for one call."""
    evidence = deputy.evidence(await deputy.challenge())
    assert not (await deputy.call(evidence=evidence)).is_error
    async with refused("challenge_consumed"):
        await deputy.call(evidence=evidence)
    assert len(live.ledger.done) == 1


@pytest.mark.parametrize(("seconds", "runs"), [(59, True), (60, False)])
async def test_step_6_the_challenge_must_not_have_expired(
    live: LiveBank, deputy: Deputy, seconds: int, runs: bool
) -> None:
    evidence = deputy.evidence(await deputy.challenge())
    live.clock.forward(seconds)
    if runs:
        assert not (await deputy.call(evidence=evidence)).is_error
        return
    async with refused("challenge_expired"):
        await deputy.call(evidence=evidence)


async def test_step_7_the_challenge_must_be_of_this_tool(live: LiveBank, deputy: Deputy) -> None:
    evidence = deputy.evidence(await deputy.challenge("pay_bill", TRANSFER))
    async with refused("challenge_wrong_tool"):
        await deputy.call("transfer_money", TRANSFER, evidence)


async def test_step_8_the_credential_must_be_enrolled(live: LiveBank, deputy: Deputy) -> None:
    envelope = await deputy.challenge()
    evidence = deputy.evidence(envelope)
    evidence["response"] = {**evidence["response"], "id": b64u(b"x" * 32), "rawId": b64u(b"x" * 32)}
    async with refused("unknown_credential"):
        await deputy.call(evidence=evidence)


async def test_step_8_another_users_credential_is_unknown(live: LiveBank, deputy: Deputy) -> None:
    envelope = await deputy.challenge()
    other = await live.user()
    theirs = next(iter(other.authenticator.keys))
    response = other.authenticator.get(envelope["requestOptions"], credential_id=theirs)
    async with refused("unknown_credential"):
        await deputy.call(evidence=deputy.evidence(envelope, response=response))


async def test_step_9_the_class_of_the_credential_must_be_the_tools(live: LiveBank, deputy: Deputy) -> None:
    await passkey(deputy.page, "usb")
    envelope = await deputy.challenge("close_account", {})
    internal = next(iter(deputy.page.authenticator.keys))
    response = deputy.page.authenticator.get(envelope["requestOptions"], credential_id=internal)
    evidence = {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}
    async with refused("authenticator_class_mismatch"):
        await deputy.call("close_account", {}, evidence)


@pytest.mark.parametrize("part", ["signature", "authenticatorData", "clientDataJSON"])
async def test_step_10_the_signature_must_verify(live: LiveBank, deputy: Deputy, part: str) -> None:
    evidence = deputy.evidence(await deputy.challenge())
    inner = evidence["response"]["response"]
    damaged = bytearray(unb64u(inner[part]))
    damaged[-1] ^= 1
    inner[part] = b64u(bytes(damaged))
    async with refused("signature_verification_failed"):
        await deputy.call(evidence=evidence)


@pytest.mark.parametrize(
    "client_data",
    [
        {"crossOrigin": True},
        {"topOrigin": "https://evil.example"},
        {"origin": "https://evil.example"},
        {"type": "webauthn.create"},
        {"challenge": b64u(b"x" * 64)},
    ],
)
async def test_step_10_the_ceremony_must_be_ours(
    live: LiveBank, deputy: Deputy, client_data: dict[str, Any]
) -> None:  # CRED-1
    envelope = await deputy.challenge()
    response = deputy.page.authenticator.get(envelope["requestOptions"], **client_data)
    async with refused("signature_verification_failed"):
        await deputy.call(evidence=deputy.evidence(envelope, response=response))


async def test_step_10_the_user_must_have_been_verified(live: LiveBank, deputy: Deputy) -> None:  # CRED-1
    deputy.page.authenticator.flags = 0x01
    async with refused("signature_verification_failed"):
        await deputy.call(evidence=deputy.evidence(await deputy.challenge()))


async def test_step_11_the_counter_must_grow(live: LiveBank, deputy: Deputy) -> None:  # APPR-7
    assert not (await deputy.approved()).is_error
    key = next(iter(deputy.page.authenticator.keys.values()))
    for back in (1, key.count):
        key.count -= back
        async with refused("signature_counter_regression"):
            await deputy.approved()
    key.count = 10
    assert not (await deputy.approved()).is_error


async def test_step_11_a_stored_zero_disables_the_check(live: LiveBank) -> None:  # APPR-7
    deputy = await live.deputy(counting=False)
    for _ in range(3):
        assert not (await deputy.approved()).is_error


async def test_step_12_the_arguments_must_be_those_of_the_challenge(live: LiveBank, deputy: Deputy) -> None:
    evidence = deputy.evidence(await deputy.challenge())
    for changed in ({"amount": 250.01}, {"name": "ada"}):
        async with refused("argument_hash_mismatch"):
            await deputy.call(arguments={**TRANSFER, **changed}, evidence=evidence)


async def test_step_13_verification_precedes_consumption(live: LiveBank, deputy: Deputy) -> None:
    """APPR-4: what fails burns nothing; the legitimate call goes through after it."""
    good = deputy.evidence(await deputy.challenge())
    inner = good["response"]["response"]
    forged = {**good, "response": {**good["response"], "response": {**inner, "signature": b64u(b"x" * 70)}}}
    for _ in range(3):
        async with refused("signature_verification_failed"):
            await deputy.call(evidence=forged)
    async with refused("argument_hash_mismatch"):
        await deputy.call(arguments={**TRANSFER, "amount": 1}, evidence=good)
    assert live.ledger.done == []
    assert not (await deputy.call(evidence=good)).is_error


async def test_step_13_five_failures_close_a_challenge(live: LiveBank, deputy: Deputy) -> None:  # APPR-4
    evidence = deputy.evidence(await deputy.challenge())
    for _ in range(5):
        async with refused("argument_hash_mismatch"):
            await deputy.call(arguments={**TRANSFER, "amount": 1}, evidence=evidence)
    async with refused("challenge_consumed"):
        await deputy.call(evidence=evidence)


async def test_step_14_the_counter_is_stored(live: LiveBank, deputy: Deputy) -> None:
    name, key = next(iter(deputy.page.authenticator.keys.items()))
    key.count = 41
    assert not (await deputy.approved()).is_error
    stored = live.deputize.store.look(lambda tx: tx.credential(name))  # type: ignore[arg-type]  # a plain text
    assert stored is not None
    assert stored.sign_count == key.count == 42


async def test_4_5_nothing_runs_if_any_step_fails(live: LiveBank, deputy: Deputy) -> None:
    evidence = deputy.evidence(await deputy.challenge())
    for bad, expected in (
        (None, "missing_evidence"),
        ({**evidence, "method": "x"}, "unsupported_method"),
        ({**evidence, "challengeId": "x"}, "challenge_unknown"),
        ({**evidence, "response": {**evidence["response"], "id": "x"}}, "unknown_credential"),
        ({**evidence, "response": {**evidence["response"], "response": {}}}, "signature_verification_failed"),
    ):
        async with refused(expected):
            await deputy.call(evidence=bad)
    assert live.ledger.done == []


class TestRecord:
    """MCP-9: the approval, the call and its redemption are in the record before anything runs (LOG-1)."""

    async def test_a_call_is_recorded_before_it_runs(self, live: LiveBank, deputy: Deputy) -> None:
        recorded: list[list[dict[str, Any]]] = []
        live.ledger.before = lambda: recorded.append(live.entries()[-2:])
        await deputy.approved()
        ((approved, redeemed),) = recorded
        assert (approved["kind"], redeemed["kind"]) == ("call.approved", "call.redeemed")
        assert approved["call_id"] == redeemed["call_id"]
        assert approved["method"] == "webauthn"
        assert approved["client_id"] == deputy.agent.client_id
        assert approved["grant_id"] == deputy.agent.tokens["grant_id"]
        assert approved["credential_id"] in deputy.page.authenticator.keys
        assert (approved["assurance"], approved["via"], approved["tool"]) == (
            "registered",
            "mcp",
            "transfer_money",
        )
        assert approved["challenge_id"]
        assert approved["evidence_s256"]
        assert live.last()["kind"] == "call.succeeded"

    async def test_a_refused_approval_is_recorded_under_the_id_that_the_answer_has(
        self, live: LiveBank, deputy: Deputy
    ) -> None:  # APPR-4
        envelope = await deputy.challenge()
        with pytest.raises(Exception, match="not what was asked for") as caught:
            await deputy.call(arguments={**TRANSFER, "amount": 1}, evidence=deputy.evidence(envelope))
        entry = live.last()
        assert (entry["kind"], entry["code"]) == ("approval.refused", "argument_hash_mismatch")
        assert entry["challenge_id"] == envelope["challengeId"]
        assert (entry["client_id"], entry["via"]) == (deputy.agent.client_id, "mcp")
        assert entry["call_id"] == caught.value.error.data["call_id"]  # type: ignore[attr-defined]  # an MCPError

    async def test_an_approval_is_in_the_result(self, live: LiveBank, deputy: Deputy) -> None:
        envelope = await deputy.challenge()
        result = await deputy.call(evidence=deputy.evidence(envelope))
        assert result.meta is not None
        approval = {"challenge_id": envelope["challengeId"], "method": "webauthn"}
        assert result.meta[CHAIN]["approval"] == approval


class TestWhen:
    """MCP-9: a tool whose approval depends on the arguments (CALL-5)."""

    @pytest.mark.parametrize(("amount", "runs"), [(100, True), (100.01, False)])
    async def test_evidence_is_needed_where_the_policy_says_so(
        self, live: LiveBank, deputy: Deputy, amount: float, runs: bool
    ) -> None:
        if runs:
            assert not (await deputy.call("pay_bill", {"amount": amount})).is_error
            return
        async with refused("missing_evidence"):
            await deputy.call("pay_bill", {"amount": amount})

    async def test_evidence_that_is_not_needed_is_checked_all_the_same(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        evidence = deputy.evidence(await deputy.challenge("pay_bill", {"amount": 50}))
        async with refused("argument_hash_mismatch"):
            await deputy.call("pay_bill", {"amount": 49}, evidence)
        assert not (await deputy.call("pay_bill", {"amount": 50}, evidence)).is_error
        async with refused("challenge_consumed"):
            await deputy.call("pay_bill", {"amount": 50}, evidence)

    async def test_an_approval_of_a_large_amount_does_not_cover_a_small_one(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        evidence = deputy.evidence(await deputy.challenge("pay_bill", {"amount": 500}))
        async with refused("argument_hash_mismatch"):
            await deputy.call("pay_bill", {"amount": 1}, evidence)

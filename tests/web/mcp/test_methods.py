"""Approvals over MCP are questions, too, and may be given by a second method (APPR-9 to APPR-11)."""

from dataclasses import replace

import pytest
from tests.codes import Codes
from tests.web.mcp.conftest import CHAIN, TRANSFER, LiveBank, refused

from deputize.protocol.canonical import b64u, unb64u
from deputize.protocol.ids import ChallengeId
from deputize.service.methods import Methods

pytestmark = pytest.mark.anyio


async def test_a_call_is_approved_by_a_second_method_and_the_chain_says_so(
    live: LiveBank, monkeypatch: pytest.MonkeyPatch
) -> None:  # MCP-11
    deputy, codes, authority = await live.deputy(), Codes(), live.deputize.authority
    monkeypatch.setattr(authority, "methods", Methods((codes, *authority.methods)))
    envelope = await deputy.challenge()
    assert (envelope["method"], "requestOptions" in envelope) == ("code", False)
    result = await deputy.call(evidence=codes.evidence(envelope))
    assert not result.is_error
    assert result.meta is not None
    approval = {"challenge_id": envelope["challengeId"], "method": "code"}
    assert result.meta[CHAIN]["approval"] == approval
    entry = [each for each in live.entries() if each["kind"] == "call.approved"][-1]
    assert {name: entry[name] for name in approval} == approval
    asked = live.deputize.store.look(lambda tx: tx.asked(ChallengeId(envelope["challengeId"])))
    assert asked is not None
    headline, *asker = asked.question.text.lines
    assert "{}\n{}: {} · {}".format(headline, *asker) == envelope["displayText"]
    assert (
        b64u(asked.question.commitment(asked.salt))
        == b64u(unb64u(envelope["challenge"])[:32])
        == entry["question_commitment"]
    )


async def test_words_that_have_changed_since_they_were_shown_are_not_acted_upon(
    live: LiveBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arguments are those that were approved, and so is their hash: the site has come to say something else."""
    deputy, authority = await live.deputy(), live.deputize.authority
    evidence = deputy.evidence(await deputy.challenge())
    before = authority.policy
    tool = replace(before.tools["transfer_money"], describe=lambda arguments: "Look at something")
    monkeypatch.setattr(authority, "policy", replace(before, tools={**before.tools, "transfer_money": tool}))
    done = len(live.ledger.done)
    async with refused("challenge_unknown"):
        await deputy.call(evidence=evidence)
    assert len(live.ledger.done) == done
    monkeypatch.undo()
    assert not (await deputy.call(evidence=evidence)).is_error  # not burned
    assert live.ledger.done[-1] == ("transfer_money", TRANSFER)

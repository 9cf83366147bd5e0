"""The story of one call, in a real browser: an agent is refused, deputized, allowed, and stopped for a passkey.

Each scene is a function of the stage and the teller. Each step says beforehand what is to come of it, and how much is
to leave the account; in the end all of it is in the record.
"""

import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from deputize.testing import chromium
from deputize.testing.agent import StoppedWaiting
from deputize.testing.human import NotApproved
from deputize.testing.passkeys import Authenticator

from .audit import audit
from .stage import CUSTOMER, WAIT, Stage, overheard, set_up
from .telling import StoryBroken, Teller

ADA = {"iban": "DE89370400440532013000", "name": "Ada Lovelace"}
RAN = "approved → redeemed → succeeded"
RAN_WITH_PASSKEY = f"pending → {RAN}"
ELSEWHERE = f"pending → approved → {RAN}"
"""Approved elsewhere, and then gone on with by who asked."""

SHIM = "the shim in the page"
AUTHORITY = "the authority"
GUARD = "the guard of the API"
PERSON = "the customer"


def run(shots: Path | None = None, headed: bool = False) -> int:
    """Play the story and narrate it, with pictures in `shots`, or in a new folder whose name is told.

    Returns the exit code: 0 if every step came out as told, else 1.
    """
    began = time.monotonic()
    shots = shots or Path(tempfile.mkdtemp(prefix="deputize-demo-"))
    shots.mkdir(parents=True, exist_ok=True)
    try:
        with set_up(shots.resolve(), headed) as stage:
            teller = Teller(stage.balance, stage.moves)
            _play(stage, teller)
    except chromium.NoChromiumError as error:
        print(error, file=sys.stderr)
        return 1
    teller.say(f"\n{teller.steps} steps in {time.monotonic() - began:.0f} s. Pictures: {shots.resolve()}")
    if teller.failures:
        teller.say("\n".join(["Not as told:", *teller.failures]), "bold red")
        return 1
    teller.say("Every step came out as told.", "bold green")
    return 0


def _play(stage: Stage, teller: Teller) -> None:
    teller.say(f"Harbor is a bank at {stage.harbor.url}. Its page offers tools to agents; deputize decides.")
    try:
        nobody(stage, teller)
        device = consent(stage, teller)
        evidence = transfer(stage, teller)
        phone(stage, teller, device)
        people(stage, teller)
        host(stage, teller)
        page_script(stage, teller, evidence)
        taking_back(stage, teller)
        closing(stage, teller, device)
        record(stage, teller)
        audit(stage.trial(), teller)
        teller.say("")
        teller.deciders()
    except StoryBroken:
        stage.shoot("broken")
        teller.failures.append("The story ended there.")


def nobody(stage: Stage, teller: Teller) -> None:
    """Nobody is signed in: an agent learns what to do, and nothing else."""
    teller.scene("Nobody is signed in")
    with teller.refused("An agent calls get_balance", "login_required", SHIM) as step:
        step.came_of(stage.agent.call("get_balance"))
    with teller.allowed("It calls search_help, which is public", "", SHIM) as step:
        step.came_of(stage.agent.call("search_help", {"query": "close my account"}))


def consent(stage: Stage, teller: Teller) -> Authenticator:
    """A customer signs up and deputizes the agent in her browser."""
    teller.scene(f"{CUSTOMER} opens an account, and lets the agent in her browser see it")
    with teller.step("She signs up with a passkey, and gets 1,000.00 EUR", "done", by=PERSON):
        device = stage.sign_up()
    with teller.refused(f"The agent calls get_balance, and waits {WAIT} s", "consent_pending", SHIM) as step:
        step.came_of(stage.agent.call("get_balance"))
    with teller.step("She reads what it may, and signs it by passkey", "done", by=PERSON) as step:
        dialog = stage.customer.dialog()
        stage.shoot("consent")
        stage.customer.approve()
        step.came("done" if "See your balance and your transactions" in dialog.text else dialog.text)
    with teller.allowed("The agent calls get_balance again", RAN, AUTHORITY) as step:
        result = stage.agent.call("get_balance")
        step.came_of(result)
    with teller.step(
        "Harbor's own code saw who called, with which rights", "done", "opaque, account:read"
    ) as step:
        meta: dict[str, Any] = result.value["_meta"]
        step.came("done", f"{meta['agent']['assurance']}, {' '.join(meta['scopes'])}")
    with teller.allowed("Another agent calls list_transactions, by DevTools", RAN, AUTHORITY) as step:
        step.came_of(stage.other_agent.call("list_transactions", {"limit": 5}))
    with teller.refused(
        "It calls a tool that the policy has never heard of", "unknown_tool", AUTHORITY
    ) as step:
        step.came_of(stage.other_agent.call("export_contacts"))
    with teller.step("An auditor keeps a signed checkpoint of the record", "done"):
        stage.keep_checkpoint()
    return device


def transfer(stage: Stage, teller: Teller) -> dict[str, Any]:
    """Money is sent, once for each approval; returns the request that carried one, for thieves to use."""
    teller.scene("Sending money needs a passkey each time")
    order = {"amount": 250, **ADA}
    with teller.refused(
        "The agent calls transfer_money: 250.00 EUR", "insufficient_scope", AUTHORITY
    ) as step:
        step.came_of(stage.agent.call("transfer_money", order))
    with teller.step("She allows it to prepare transfers, by passkey", "done", by=PERSON):
        stage.customer.approve()
    stage.have_patience()
    with teller.allowed(
        "The agent calls again; she reads and approves", RAN_WITH_PASSKEY, PERSON, 250_00
    ) as step:
        call = stage.agent.start("transfer_money", order)
        dialog = stage.customer.dialog()
        stage.shoot("approval")
        with stage.page.expect_request("**/approval") as sent:
            stage.customer.approve()
        step.came_of(call.result())
    with teller.step("What she read was made by the authority", "done", by=AUTHORITY) as step:
        told = ["Send 250.00 EUR?", "To", "“Ada Lovelace”", "IBAN", "DE89 3704 0044 0532 0130 00", "Asked by"]
        read = [line for line in dialog.lines if line in told]
        step.came("done" if read == told else dialog.text)
    order = {"amount": 25.5, **ADA}
    with teller.step("An impatient agent gives up on 25.50 EUR after 1 s", "left", "nothing has run") as step:
        try:
            stage.agent.call("transfer_money", order, patience=1)
        except StoppedWaiting:
            step.came("left", "nothing has run")
    with teller.allowed("It comes back: same dialog, one execution", RAN_WITH_PASSKEY, PERSON, 25_50) as step:
        before = stage.customer.dialog()
        call = stage.agent.start("transfer_money", order)
        same = stage.customer.approve().node == before.node
        step.came_of(call.result())
        if not same:
            step.came("allowed", "in another dialog")
    return overheard(sent.value)


def phone(stage: Stage, teller: Teller, device: Authenticator) -> None:
    """The same question is answered on another device, and the page goes on by itself."""
    teller.scene("On her phone")
    with teller.allowed(
        "12.00 EUR: she scans a code, and types two digits there", ELSEWHERE, PERSON, 12_00
    ) as step:
        call = stage.agent.start("transfer_money", {"amount": 12, **ADA})
        stage.answer_on_phone(device)
        step.came_of(call.result())
    with teller.step("The record says where she answered", "done", "on the authority's page") as step:
        approved = [entry for entry in stage.record() if entry["kind"] == "call.approved"]
        there = [entry for entry in approved if entry.get("surface") == "authority"]
        step.came("done", "on the authority's page" if len(there) == 1 else str(there))


def people(stage: Stage, teller: Teller) -> None:
    """What is for a person to decide, nobody else decides."""
    teller.scene("Only a person decides")
    page = stage.page
    with teller.step(
        "She uses Harbor's form herself: same approval", "done", "approved", PERSON, 10_00
    ) as step:
        page.get_by_label("To", exact=True).fill("Charles Babbage")
        page.get_by_label("IBAN").fill("GB29 NWBK 6016 1331 9268 19")
        page.get_by_label("Amount").fill("10")
        page.keyboard.press("Enter")
        stage.customer.approve()
        page.get_by_text("10.00 EUR went to Charles Babbage.").wait_for()
        step.came("done", "approved")
    stage.shoot("harbor")
    order = {"amount": 99, **ADA}
    call = stage.agent.start("transfer_money", order)
    with teller.step(
        "An agent asks for 99.00 EUR and clicks everything", "done", "the dialog still asks"
    ) as step:
        stage.customer.dialog()
        stage.attack("clickEverything")
        step.came("done", "the dialog still asks" if stage.customer.sees() else "the dialog is gone")
    with teller.refused("She declines", "declined", PERSON) as step:
        stage.customer.decline(by="escape")
        step.came_of(call.result())


def host(stage: Stage, teller: Teller) -> None:
    """An MCP host that can do no passkey ceremony leads her to the authority's page."""
    teller.scene("An MCP host that knows addresses only")
    order = {"amount": 40, **ADA}
    with teller.step("She connects her desktop assistant, by passkey", "done", by=PERSON):
        stage.connect_host()
    with teller.refused("It calls transfer_money: 40.00 EUR", "url_elicitation_required", AUTHORITY) as step:
        asked = stage.host.call("transfer_money", order)
        step.came("refused", asked.code)
    with teller.refused(
        "It calls again before she has answered", "url_elicitation_required", AUTHORITY
    ) as step:
        step.came("refused", stage.host.call("transfer_money", order).code)
    with teller.step("She reads it at that address, and approves there", "done", by=PERSON) as step:
        read = stage.answer_at(asked.url)
        step.came("done" if "40.00 EUR" in read and "Ada Lovelace" in read else read)
    with teller.allowed("It calls again, with the same arguments", ELSEWHERE, PERSON, 40_00) as step:
        ran = stage.host.call("transfer_money", order)
        step.came("refused" if ran.code else "allowed", ran.code or " → ".join(stage.moves(ran.call_id)))
    with teller.refused("And once more, as if no answer had come", "already_executed", AUTHORITY) as step:
        step.came("refused", stage.host.call("transfer_money", order).code)
    with teller.step("It gives back what it was allowed", "done"):
        stage.host.disconnect()


def page_script(stage: Stage, teller: Teller, seen: dict[str, Any]) -> None:
    """Script in the page has the cookie and the shim's key, and gets nothing for it."""
    teller.scene("What a bad script in the page can do")
    order = {"amount": 500, **ADA}
    with teller.refused("It calls the API itself, with her cookie", "missing_call_token", GUARD) as step:
        step.came("refused", stage.attack("callTheApi", order)["code"])
    with teller.step(
        "It registers a tool past the shim, by a clean frame", "seen", "as unguarded: send_quietly"
    ) as step:
        step.came("seen", f"as unguarded: {', '.join(stage.attack('registerPastTheShim'))}")
    with teller.refused("An agent calls that tool, and it runs", "missing_call_token", GUARD) as step:
        step.came("refused", stage.agent.call("send_quietly", order).value["code"])
    with teller.refused(
        "It changes 20 into 2,000 after she approved 20", "argument_hash_mismatch", GUARD
    ) as step:
        stage.attack("changeAmounts", 100)
        call = stage.agent.start("transfer_money", {"amount": 20, **ADA})
        stage.customer.approve()
        step.came_of(call.result())
    stage.home()
    with teller.refused(
        "It sends the approval of 250.00 EUR once more", "invalid_dpop_proof", AUTHORITY
    ) as step:
        step.came("refused", stage.attack("sendAgain", seen)["code"])
    with teller.refused(
        "Once more, with a fresh proof by the shim's key", "challenge_consumed", AUTHORITY
    ) as step:
        step.came("refused", stage.attack("sendWithFreshProof", seen)["code"])
    with teller.refused("And for another call, which waits for her", "challenge_unknown", AUTHORITY) as step:
        with stage.page.expect_response("**/calls") as asked:
            call = stage.agent.start("transfer_money", order)
        stage.customer.dialog()
        url = f"{stage.harbor.url}/deputize/calls/{asked.value.json()['call_id']}/approval"
        step.came("refused", stage.attack("sendWithFreshProof", {**seen, "url": url})["code"])
        stage.customer.decline()
        call.result()


def taking_back(stage: Stage, teller: Teller) -> None:
    """What was given is taken back without a passkey, and at once."""
    teller.scene("She takes it back")
    with teller.refused("She revokes in another tab, and approves here", "grant_revoked", AUTHORITY) as step:
        call = stage.agent.start("transfer_money", {"amount": 30, **ADA})
        stage.customer.dialog()
        stage.revoke_in_another_tab()
        stage.page.bring_to_front()
        with suppress(NotApproved):  # its dialog says why
            stage.customer.approve()
        step.came_of(call.result())
    with teller.refused("The agent's next call hears the same", "grant_revoked", AUTHORITY) as step:
        step.came_of(stage.agent.call("get_balance"))
    with teller.refused("It insists, she is asked, and says: not now", "consent_declined", PERSON) as step:
        call = stage.agent.start("get_balance")
        stage.customer.decline()
        step.came_of(call.result())
    with teller.refused(
        "That was her third no: it may not even ask now", "asked_too_often", AUTHORITY
    ) as step:
        step.came_of(stage.agent.call("get_balance"))
    with teller.step("She allows questions again, on her account page", "done", by=PERSON):
        stage.allow_questions_again()


def closing(stage: Stage, teller: Teller, device: Authenticator) -> None:
    """What matters most needs a passkey that is not on the device itself."""
    teller.scene("Closing the account needs a security key or a phone")
    with teller.refused(
        "The agent calls close_account; she lets it ask", "no_eligible_credential", AUTHORITY
    ) as step:
        call = stage.agent.start("close_account")
        stage.customer.approve()
        step.came_of(call.result())
    with teller.step("She adds a security key, and confirms it by passkey", "done", by=PERSON):
        stage.add_security_key(device)
    rest = stage.balance() or 0
    with teller.allowed(
        "The agent calls again; she approves with the key", RAN_WITH_PASSKEY, PERSON, rest
    ) as step:
        call = stage.agent.start("close_account")
        stage.customer.dialog()
        stage.shoot("security-key")
        stage.customer.approve()
        step.came_of(call.result())


def record(stage: Stage, teller: Teller) -> None:
    """All of it is in the record, and the record holds."""
    teller.scene("What is left of it")
    with teller.step(
        "The books: five transfers, five approvals", "done", "250.00, 25.50, 12.00, 10.00, 40.00 once each"
    ) as step:
        sent = stage.books(
            "SELECT -amount FROM transactions WHERE amount < 0 AND iban IS NOT NULL ORDER BY id"
        )
        step.came("done", f"{', '.join(f'{amount / 100:.2f}' for (amount,) in sent)} once each")
    with teller.step("deputize log verify checks the record against it", "done", "intact") as step:
        verified = stage.verify_record()
        step.came("done", "intact" if verified.returncode == 0 else verified.stderr)
    index, forged = stage.forge_record()
    with teller.step(
        "Somebody makes an approval of a refusal in it", "refused", f"entry {index} was changed"
    ) as step:
        found = stage.verify_record(forged)
        step.came(
            "refused" if found.returncode else "done", found.stderr.partition(": ")[2].partition(":")[0]
        )
    entries = stage.record()
    teller.say(f"\nThe last of {len(entries)} entries:")
    teller.entries(entries[-6:])
    teller.say(verified.stdout.strip())

"""What SEP-2672 demands of servers and clients in its sections 4.2 to 4.10, in our words, and the test that shows each.

Those of servers are driven by the official client for Python, but for the order of §4.8, which is shown where it is
decided; those of clients by the official one for TypeScript.
§4.4's demand of servers without the capability is none of ours: it is always declared.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CLIENT = "js/interop/mcp.js"
SHOWN_IN = ("tests/web/mcp", "tests/service/calls")


def demands(text: str) -> dict[str, str]:
    """Read a demand in each line that begins at the margin, and its test in the next."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return dict(zip(lines[0::2], (line.strip() for line in lines[1::2]), strict=True))


SERVERS = demands(
    """
4.2 an annotated tool says required: verified
    test_offers::test_4_2_a_tool_that_needs_an_approval_says_required_verified
4.3 the capability is declared wherever a tool is annotated
    test_offers::test_4_3_a_server_declares_the_capability
4.3 a call without evidence is rejected
    test_offers::test_4_3_a_call_without_evidence_is_rejected
4.4.1 params are ignored
    test_enrollment::TestBegin::test_params_are_ignored
4.4.1 each registration has a challenge of its own
    test_enrollment::TestBegin::test_the_challenge_is_fresh_for_each_call
4.4.1 the challenge is kept until finish
    test_enrollment::TestFinish::test_confirms_the_new_credential
4.4.1 user verification is required
    test_enrollment::TestBegin::test_user_verification_is_required
4.4.1 what is enrolled is excluded
    test_enrollment::TestBegin::test_the_credentials_that_are_enrolled_are_excluded
4.4.1 with none enrolled that list is empty
    test_single_user::test_the_window_of_enrollment_is_always_open
4.4.2 another challenge is rejected
    test_enrollment::TestFinish::test_a_response_to_another_challenge_is_rejected
4.4.2 the user must have been verified
    test_enrollment::TestFinish::test_the_user_must_have_been_verified
4.4.2 the response must be well-formed
    test_enrollment::TestFinish::test_the_response_must_be_well_formed
4.4.2 its signature must be valid, also with attestation none
    test_enrollment::TestFinish::test_a_statement_that_is_there_must_be_right_although_none_is_asked_for
4.4.2 what later assertions need is stored
    test_enrollment::TestFinish::test_stores_what_later_assertions_need
4.4.2 a credential is enrolled once
    test_enrollment::TestFinish::test_a_credential_is_enrolled_once_whatever_the_browser_says
4.4.2 not after its challenge has expired
    test_enrollment::TestFinish::test_it_must_not_have_expired
4.4.2 not after its challenge was used
    test_enrollment::TestFinish::test_it_is_finished_once
4.4.3 the tool must be annotated
    test_challenges::TestEnvelope::test_the_tool_must_be_annotated
4.4.3 arguments are put in canonical form first
    test_challenges::TestHash::test_is_the_same_however_the_arguments_are_spelled
4.4.3 the hash is over tool, arguments and server
    test_challenges::TestHash::test_is_over_name_canonical_arguments_and_server
4.4.3 what is signed is nonce and hash
    test_challenges::TestEnvelope::test_the_wire_bytes_are_nonce_and_action_hash
4.4.3 the nonce is random and unique
    test_challenges::TestEnvelope::test_the_nonce_is_fresh_for_each_challenge
4.4.3 the challenge is kept with what it was issued for
    test_challenges::test_a_challenge_is_bound_to_the_tuple_it_was_issued_for
4.4.3 allowCredentials are the user's
    test_challenges::TestClass::test_another_users_credentials_are_not_among_them
4.4.3 user verification is required
    test_challenges::TestEnvelope::test_user_verification_is_required
4.4.3 displayText is the server's, from the arguments
    test_challenges::TestEnvelope::test_the_display_text_is_the_servers_and_tells_the_arguments
4.5 evidence is verified before the tool runs
    test_evidence::test_4_5_a_call_with_good_evidence_runs
4.5 a call is rejected if evidence is missing or fails
    test_order::test_the_earliest_fault_answers
4.5 nothing runs if a step fails
    test_evidence::test_4_5_nothing_runs_if_any_step_fails
4.6 RFC 8785
    test_challenges::TestHash::test_characters_are_not_normalized
4.6 SHA-256 over the three, with zero bytes between
    test_challenges::TestHash::test_is_over_name_canonical_arguments_and_server
4.6 the server's id is the same for as long as challenges live
    test_race::test_fifty_clients_race_one_challenge_and_one_wins
4.6 the server's id is no other server's
    test_challenges::TestHash::test_is_another_one_at_another_server
4.6 no defaults and no coercions
    test_challenges::TestHash::test_has_no_defaults_and_no_coercions_in_it
4.7 cross-platform leaves internal-only credentials out
    test_challenges::TestClass::test_cross_platform_leaves_out_what_is_internal_only
4.7 platform takes any
    test_challenges::TestClass::test_platform_takes_any
4.7 transports are stored, and filtered by when a challenge is issued
    test_challenges::TestClass::test_cross_platform_takes_what_can_roam
4.8 step 1
    test_evidence::test_step_1_evidence_must_be_present
4.8 step 2
    test_evidence::test_step_2_evidence_must_be_well_formed
4.8 step 3
    test_evidence::test_step_3_the_method_must_be_webauthn
4.8 step 4
    test_evidence::test_step_4_the_challenge_must_be_known
4.8 step 5
    test_evidence::test_step_5_the_challenge_must_not_have_been_consumed
4.8 step 6
    test_evidence::test_step_6_the_challenge_must_not_have_expired
4.8 step 7
    test_evidence::test_step_7_the_challenge_must_be_of_this_tool
4.8 step 8
    test_evidence::test_step_8_the_credential_must_be_enrolled
4.8 step 9
    test_evidence::test_step_9_the_class_of_the_credential_must_be_the_tools
4.8 step 10
    test_evidence::test_step_10_the_signature_must_verify
4.8 step 11
    test_evidence::test_step_11_the_counter_must_grow
4.8 step 11, a stored zero
    test_evidence::test_step_11_a_stored_zero_disables_the_check
4.8 step 12
    test_evidence::test_step_12_the_arguments_must_be_those_of_the_challenge
4.8 step 13, verification before consumption
    test_evidence::test_step_13_verification_precedes_consumption
4.8 step 13, atomically
    test_race::test_fifty_clients_race_one_challenge_and_one_wins
4.8 step 14
    test_evidence::test_step_14_the_counter_is_stored
4.8 in this order
    test_order::test_the_earliest_fault_answers
4.10 the code is -32001
    test_errors::test_an_approval_refusal_has_the_code_and_a_reason_and_no_other_has
4.10 the reason is one of the list
    test_errors::test_the_list_is_the_proposals
4.10 reasons are not localized
    test_errors::test_reasons_are_the_same_in_every_language
    """
)

CLIENTS = demands(
    """
4.2 without the annotation, no ceremony
    4.2 tools without the annotation are invoked as any other, with no ceremony
4.2 unknown members beside the annotation
    4.2 unknown members beside the annotation are tolerated
4.3 unknown members of the capability
    4.3 unknown members of the capability are tolerated
4.4.3, 4.9 displayText verbatim, before the assertion
    4.4.3 displayText is presented verbatim before the assertion
4.5, 4.9 evidence with every call to an annotated tool
    4.5 evidence is included in params._meta for every call to an annotated tool
4.5 the method
    4.5 method is the literal webauthn
4.5 the challengeId
    4.5 challengeId is of the immediately preceding challenge for the same tool and arguments
4.5, 4.9 the response unmodified
    4.5 the assertion response is forwarded unmodified
4.6 RFC 8785 and SHA-256
    4.6 a challenge that is not over this tool and these arguments by RFC 8785 and SHA-256 is not signed
4.6 the same arguments
    4.6 the same arguments are shown, sent for the challenge and sent for the call
4.9 detect
    4.9 tools that carry the annotation are detected
4.9 a challenge first
    4.9 a tool that needs an approval is not invoked without first requesting a challenge
4.9 no challengeId twice
    4.9 a challengeId is not reused across calls
4.9 the assertion after the review
    4.9 the assertion is invoked only after the user has reviewed displayText
4.10 nothing but the reason
    4.10 only code and reason are looked at, for every reason of the list
    """
)


def functions(node: ast.AST, prefix: str) -> set[str]:
    """Name the tests of a module as pytest does, without parameters."""
    found: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            found |= functions(child, f"{prefix}::{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(f"{prefix}::{child.name}")
    return found


BY_PYTHON = {
    name
    for folder in SHOWN_IN
    for path in (ROOT / folder).glob("test_*.py")
    for name in functions(ast.parse(path.read_text()), path.stem)
}
BY_TYPESCRIPT = set(re.findall(r"^test\('(.+?)', ", (ROOT / CLIENT).read_text(), re.MULTILINE))


@pytest.mark.parametrize("demand", SERVERS)
def test_a_demand_on_servers_has_its_test(demand: str) -> None:
    assert SERVERS[demand] in BY_PYTHON


@pytest.mark.parametrize("demand", CLIENTS)
def test_a_demand_on_clients_has_its_test(demand: str) -> None:
    assert CLIENTS[demand] in BY_TYPESCRIPT

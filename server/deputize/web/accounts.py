"""Sign-up, sign-in, passkeys: `/account/…` and `/credentials/…` (PROTOCOL §2)."""

from typing import Literal, cast

from starlette.responses import Response

from ..authority.authority import digest
from ..crypto.webauthn import creation_options, request_options
from ..protocol.canonical import Json, unb64u
from ..protocol.challenge import Challenge, Purpose
from ..protocol.credential import ENROLLMENT_LIFETIME, User
from ..protocol.errors import Code, Refusal, Refused, or_refuse
from ..protocol.ids import UserId
from ..protocol.quota import Quota
from ..service import credentials
from ..service.credentials import Enrolled
from ..service.ports import Tx
from . import session, wire
from .ask import Ask
from .problems import answer


async def begin_sign_up(ask: Ask) -> Response:
    """Start a new user's enrollment; only where users are ours, not the site's (CRED-2)."""
    _own_users(ask)
    ask.take(Quota.SIGN_UPS, ask.authority.policy.quotas.sign_ups)
    name = str((await ask.json({"name": str}))["name"])
    authority = ask.authority
    challenge, user = or_refuse(
        await authority.store.transact(lambda tx: credentials.begin_sign_up(tx, ask.at, name))
    )
    return answer(
        {
            "challengeId": challenge.challenge_id,
            "creationOptions": await _creation(ask, challenge, user, "required"),
        }
    )


async def finish_sign_up(ask: Ask) -> Response:
    """Create the user with the first credential, and sign in."""
    _own_users(ask)
    challenge = await _challenge(ask, Purpose.SIGN_UP, None)
    registration = ask.authority.ceremonies.registration(await _response(ask), challenge.wire)

    def finish(tx: Tx) -> User | Refusal:
        user = credentials.finish_sign_up(tx, challenge, registration, ask.now)
        if isinstance(user, User):
            _open(tx, ask, user, session_id)
        return user

    session_id = ask.authority.random(32)
    return _signed_in(ask, or_refuse(await ask.authority.store.transact(finish)), session_id)


async def begin_sign_in(ask: Ask) -> Response:
    """Start a sign-in with a discoverable passkey."""
    _own_users(ask)
    ask.take(Quota.SIGN_INS, ask.authority.policy.quotas.sign_ins)
    await ask.json({})
    authority = ask.authority
    challenge = await authority.store.transact(lambda tx: credentials.begin_sign_in(tx, ask.at))
    options = request_options(challenge.wire, authority.policy.site.rp_id, [], ENROLLMENT_LIFETIME)
    return answer({"challengeId": challenge.challenge_id, "requestOptions": options})


async def finish_sign_in(ask: Ask) -> Response:
    """Verify the assertion and open a session."""
    _own_users(ask)
    authority = ask.authority
    challenge = await _challenge(ask, Purpose.SIGN_IN, None)
    response = await _response(ask)
    user, assertion = await authority.store.read(
        lambda tx: credentials.check_sign_in(tx, challenge, response, authority.ceremonies)
    )

    def finish(tx: Tx) -> User | Refusal:
        refusal = credentials.finish_sign_in(tx, challenge, user, assertion, ask.now)
        if refusal is None:
            _open(tx, ask, user, session_id)
        return refusal or user

    session_id = authority.random(32)
    return _signed_in(ask, or_refuse(await authority.store.transact(finish)), session_id)


async def sign_out(ask: Ask) -> Response:
    """End the session at once (SESSION-1)."""
    await ask.must_be_here()
    _own_users(ask)
    ended = ask.session_digest
    if ended is not None:
        await ask.authority.store.transact(lambda tx: tx.end_session(ended))
    response = Response(status_code=204)
    session.clear_cookie(response)
    return response


async def begin_enrollment(ask: Ask) -> Response:
    """Start adding a passkey: for who is signed in, or with a recovery link (CRED-2, CRED-3, CRED-5)."""
    ask.check_origin()
    body = await ask.json({}, {"recovery": str})
    recovery = _secret(str(body["recovery"])) if "recovery" in body else None
    who = await ask.must_be_here() if recovery is None else None
    authority = ask.authority
    challenge, user = or_refuse(
        await authority.store.transact(lambda tx: credentials.begin_enrollment(tx, ask.at, who, recovery))
    )
    options = await _creation(ask, challenge, user, "preferred")
    return answer({"challengeId": challenge.challenge_id, "creationOptions": options})


async def finish_enrollment(ask: Ask) -> Response:
    """Register the new passkey; the answer says whether an existing one must still confirm it (CRED-3)."""
    ask.check_origin()
    who = await ask.signed_in()
    body = await ask.json({"response": dict}, {"label": str})
    challenge = await _challenge(ask, Purpose.ENROLL, who.user_id if who else None, None)
    if challenge.owner is not None:
        await ask.must_be_here()
    authority = ask.authority
    registration = authority.ceremonies.registration(_dict(body["response"]), challenge.wire)
    label = str(body.get("label", ""))
    session_id = authority.random(32)

    def finish(tx: Tx) -> Enrolled | Refusal:
        enrolled = credentials.finish_enrollment(tx, ask.at, challenge, registration, label)
        if isinstance(enrolled, Enrolled) and enrolled.recovered and own:  # CRED-5
            _open(tx, ask, enrolled.user, session_id)
        return enrolled

    own = authority.current_user is None
    enrolled = or_refuse(await authority.store.transact(finish))
    told: dict[str, object] = {"credential_id": enrolled.credential.credential_id}
    if enrolled.recovered:
        response = answer({**told, "state": "active", "recovered": True})
        if own:
            session.set_cookie(response, authority.sealer, session_id, authority.policy.session_lifetime)
        return response
    if enrolled.minted is None:
        return answer({**told, "state": "active"})
    envelope = wire.envelope(enrolled.minted, ask.now)
    return answer({**told, "state": "pending", **envelope})


async def approve_enrollment(ask: Ask) -> Response:
    """Take an existing passkey's assertion over the new one (CRED-3)."""
    who = await ask.must_be_here()
    evidence = await ask.evidence()
    authority = ask.authority
    credential_id = str(ask.request.path_params["credential_id"])
    verdict = await authority.store.read(
        lambda tx: credentials.check_addition(tx, ask.at, who.user_id, credential_id, evidence)
    )
    added = or_refuse(
        await authority.store.transact(
            lambda tx: credentials.approve_addition(tx, ask.at, who.user_id, credential_id, verdict)
        )
    )
    return answer({"credential_id": added.credential_id, "state": "active"})


async def remove(ask: Ask) -> Response:
    """Take a passkey away; the last one stays."""
    who = await ask.must_be_here()
    credential_id = str(ask.request.path_params["credential_id"])
    or_refuse(
        await ask.authority.store.transact(
            lambda tx: credentials.remove_credential(tx, who.user_id, credential_id, ask.now)
        )
    )
    return Response(status_code=204)


def _own_users(ask: Ask) -> None:
    ask.check_origin()
    if ask.authority.current_user is not None:
        raise Refused(Code.NOT_FOUND, "Users sign up and in at the site itself.")


async def _challenge(ask: Ask, purpose: Purpose, *owners: UserId | None) -> Challenge:
    challenge_id = str(ask.request.path_params["challenge_id"])
    return await ask.authority.store.read(
        lambda tx: credentials.open_challenge(tx, challenge_id, purpose, owners, ask.now)
    )


async def _response(ask: Ask) -> dict[str, Json]:
    return _dict((await ask.json({"response": dict}))["response"])


def _dict(value: Json) -> dict[str, Json]:
    return cast(dict[str, Json], value)


def _secret(text: str) -> bytes:
    try:
        return digest(unb64u(text))
    except ValueError as error:
        raise Refused(
            Code.ENROLLMENT_NOT_ALLOWED, "This recovery link is not complete. Copy all of it."
        ) from error


async def _creation(
    ask: Ask, challenge: Challenge, user: User, resident_key: Literal["required", "preferred"]
) -> dict[str, Json]:
    site = ask.authority.policy.site
    existing = await ask.authority.store.read(lambda tx: tx.credentials(user.user_id))
    return creation_options(
        challenge.wire,
        site.rp_id,
        site.name,
        user.handle,
        user.name,
        ENROLLMENT_LIFETIME,
        exclude=existing,
        resident_key=resident_key,
    )


def _open(tx: Tx, ask: Ask, user: User, session_id: bytes) -> None:
    lifetime = ask.authority.policy.session_lifetime
    credentials.open_session(tx, user.user_id, digest(session_id), ask.session_digest, lifetime, ask.now)


def _signed_in(ask: Ask, user: User, session_id: bytes) -> Response:
    response = answer({"user": {"id": user.user_id, "name": user.name}})
    session.set_cookie(response, ask.authority.sealer, session_id, ask.authority.policy.session_lifetime)
    return response

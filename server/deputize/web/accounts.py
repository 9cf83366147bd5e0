"""Sign-up, sign-in, passkeys: `/account/…` and `/credentials/…` (PROTOCOL §2)."""

from functools import partial
from typing import Annotated, Literal

from msgspec import UNSET, UnsetType
from starlette.responses import Response

from ..authority.authority import digest
from ..crypto.webauthn import creation_options, request_options
from ..protocol.canonical import Json, unb64u
from ..protocol.challenge import Challenge, Purpose
from ..protocol.credential import ENROLLMENT_LIFETIME, User
from ..protocol.errors import Code, Refused
from ..protocol.ids import UserId
from ..service import credentials, sessions
from ..service.credentials import Begun
from ..service.moment import Moment
from ..service.ports import Reader
from ..service.sessions import Opening, SignIn
from . import session, types
from .access import Who
from .answers import answer, envelope
from .context import Context
from .types import ChallengeIdText, Closed, Enrollment, Evidence, Nothing, Object, said, sent


class SignUp(Closed):
    """The name of a new user."""

    name: Annotated[str, said(pattern=r"^ *[^\p{C}\p{Z}]([^\p{C}\p{Z}]| ){0,63} *$")]


class Creation(Closed, rename="camel"):
    """What the browser makes a passkey by."""

    challenge_id: ChallengeIdText
    creation_options: Object


class SignInOptions(Closed, rename="camel"):
    """What the browser picks a passkey by."""

    challenge_id: ChallengeIdText
    request_options: Object


class Ceremony(Closed):
    """What the browser's ceremony gave (WebAuthn L3 §5.1)."""

    response: Object


class NewCredential(Ceremony):
    """A passkey that the browser has made, and how it is called."""

    label: str = ""


class SignedIn(Closed):
    """Who is signed in from now on."""

    user: types.User


class ActiveCredential(Closed):
    """A passkey that is usable; with `recovered`, its user has come back by a link (CRED-5)."""

    credential_id: str
    state: Literal["active"]
    recovered: bool | UnsetType = UNSET


class PendingCredential(types.Challenge, rename=None, kw_only=True):
    """A passkey that another one has to confirm, and the challenge for that (CRED-3)."""

    credential_id: str
    state: Literal["pending"]


async def begin_sign_up(context: Context, body: SignUp) -> Creation:
    """Start a new user's enrollment; only where users are ours, not the site's (CRED-2)."""
    begun = await context.run(credentials.begin_sign_up, body.name)
    return Creation(begun.challenge.challenge_id, options_of(context, begun, "required"))


async def finish_sign_up(context: Context, body: Ceremony) -> Response:
    """Create the user with the first credential, and sign in."""
    challenge = await context.look(
        sessions.open_challenge, context.named("challenge_id"), Purpose.SIGN_UP, None
    )
    registration = context.authority.ceremonies.registration(body.response, challenge.wire)
    session_id, opening = opening_of(context)
    user = await context.run(credentials.finish_sign_up, challenge, registration, opening)
    return _signed_in(context, user, session_id)


async def begin_sign_in(context: Context, body: Nothing) -> SignInOptions:
    """Start a sign-in with a discoverable passkey."""
    challenge = await context.run(sessions.begin_sign_in)
    options = request_options(challenge.wire, context.authority.policy.site.rp_id, [], ENROLLMENT_LIFETIME)
    return SignInOptions(challenge.challenge_id, options)


async def finish_sign_in(context: Context, body: Ceremony) -> Response:
    """Verify the assertion and open a session."""
    verify = partial(context.authority.ceremonies.authentication, discovered=True)
    challenge_id = context.named("challenge_id")
    checked = await context.look(sessions.check_sign_in, challenge_id, body.response, verify)
    session_id, opening = opening_of(context)
    user = await context.run(sessions.finish_sign_in, *checked, opening)
    return _signed_in(context, user, session_id)


async def sign_out(context: Context, user: Who[UserId]) -> Response:
    """End the session at once (SESSION-1)."""
    ended = context.session_digest
    await user.run(lambda tx, at, user_id: tx.end_session(ended) if ended is not None else None)
    response = Response(status_code=204)
    session.clear_cookie(response)
    return response


async def begin_enrollment(context: Context, who: Who[SignIn | None], body: Enrollment) -> Creation:
    """Start adding a passkey: for who is signed in, or with a recovery link (CRED-2, CRED-3, CRED-5)."""
    recovery = _secret(body.recovery) if isinstance(body.recovery, str) else None
    begun = await who.run(credentials.begin_enrollment, recovery)
    return Creation(begun.challenge.challenge_id, options_of(context, begun))


async def finish_enrollment(
    context: Context, body: NewCredential
) -> Response | ActiveCredential | dict[str, object]:
    """Register the new passkey; the answer says whether an existing one must still confirm it (CRED-3)."""
    look = await context.session()

    def find(tx: Reader, at: Moment) -> Challenge:
        who = look(tx)
        owners = (who.user_id, None) if who else (None,)
        challenge = sessions.open_challenge(tx, at, context.named("id"), Purpose.ENROLL, *owners)
        if challenge.owner is not None:
            context.check_csrf(challenge.owner)
        return challenge

    challenge = await context.look(find)
    authority = context.authority
    registration = authority.ceremonies.registration(body.response, challenge.wire)
    own = authority.own_users
    session_id, opening = opening_of(context)
    enrolled = await context.run(
        credentials.finish_enrollment, challenge, registration, body.label, opening if own else None
    )
    credential_id = enrolled.credential.credential_id
    if enrolled.recovered:
        response = answer(ActiveCredential(credential_id, "active", recovered=True))
        return _in_session(context, response, session_id) if own else response
    if enrolled.minted is None:
        return ActiveCredential(credential_id, "active")
    return {"credential_id": credential_id, "state": "pending", **envelope(enrolled.minted, context.now)}


async def approve_enrollment(context: Context, user: Who[UserId], evidence: Evidence) -> ActiveCredential:
    """Take an existing passkey's assertion over the new one (CRED-3)."""
    credential_id = context.named("id")
    verdict = await user.verdict(credentials.check_addition, credential_id, sent(evidence))
    added = await user.run(credentials.approve_addition, credential_id, verdict)
    return ActiveCredential(added.credential_id, "active")


async def remove(context: Context, user: Who[UserId]) -> None:
    """Take a passkey away; the last one stays."""
    await user.run(credentials.remove_credential, context.named("id"))


def _secret(text: str) -> bytes:
    try:
        return digest(unb64u(text))
    except ValueError as error:
        raise Refused(
            Code.ENROLLMENT_NOT_ALLOWED, "This recovery link is not complete. Copy all of it."
        ) from error


def options_of(
    context: Context, begun: Begun, resident_key: Literal["required", "preferred"] = "preferred"
) -> dict[str, Json]:
    """Return what a browser makes a passkey by, for as long as the challenge is good."""
    site = context.authority.policy.site
    return creation_options(
        begun.challenge.wire,
        site.rp_id,
        site.name,
        begun.user.handle,
        begun.user.name,
        begun.challenge.expires_at - context.now,
        exclude=begun.existing,
        resident_key=resident_key,
    )


def opening_of(context: Context) -> tuple[bytes, Opening]:
    """Make the id of a session, which only the browser gets, and what the use case opens that by."""
    session_id = context.authority.random(32)
    return session_id, Opening(digest(session_id), context.session_digest)


def _signed_in(context: Context, user: User, session_id: bytes) -> Response:
    return _in_session(context, answer(SignedIn(types.User(user.user_id, user.name))), session_id)


def _in_session(context: Context, response: Response, session_id: bytes) -> Response:
    authority = context.authority
    session.set_cookie(response, authority.sealer, session_id, authority.policy.session_lifetime)
    return response

"""Every address of the authority on one screen."""

import re

from starlette.middleware import Middleware
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from ..authority.authority import Current
from . import accounts, enrollments, grants, openapi, operations, pages, record, shim
from .calls import Calls
from .cors import shared
from .mcp.answers import resource_metadata_url
from .mcp.endpoint import Mcp
from .oauth import authorize, metadata, requests, standing
from .oauth.token import token
from .operations import Log
from .problems import Endpoint, Respond, nowhere, oauth_response


def routes(current: Current, log: Log, mcp: Mcp, page: Respond) -> list[BaseRoute]:
    """Return the routes under the mount path; the busiest come first, since they are tried in order.

    `page` answers refusals where people open a page.
    """
    endpoint = Endpoint(current, log)
    calls = Calls(log)
    return [
        Route("/calls", endpoint(calls.create), methods=["POST"]),
        Route("/calls/{call_id}/redemption", endpoint(calls.redeem), methods=["POST"]),
        Route("/calls/{call_id}/outcome", endpoint(calls.report), methods=["POST"]),
        Route("/calls/{call_id}/challenge", endpoint(calls.challenge), methods=["POST"]),
        Route("/calls/{call_id}/approval", endpoint(calls.approve), methods=["POST"]),
        Route("/calls/{call_id}/denial", endpoint(calls.deny), methods=["POST"]),
        Route("/calls/{call_id}/events", endpoint(calls.events), methods=["POST"]),
        Route("/calls/{call_id}", endpoint(calls.show), methods=["GET"]),
        Route("/mcp", mcp),
        Route("/tools", endpoint(shim.configuration), methods=["GET"]),
        shared("/token", endpoint(token, oauth_response), "POST"),
        shared("/par", endpoint(requests.push, oauth_response), "POST"),
        shared("/device_authorization", endpoint(requests.device_authorization, oauth_response), "POST"),
        shared("/introspect", endpoint(standing.introspect, oauth_response), "POST"),
        shared("/revoke", endpoint(standing.revoke, oauth_response), "POST"),
        Route("/authorize", endpoint(authorize.page, page), methods=["GET"]),
        Route("/authorize/{request_id}/challenge", endpoint(authorize.challenge), methods=["POST"]),
        Route("/authorize/{request_id}/approval", endpoint(authorize.approve), methods=["POST"]),
        Route("/authorize/{request_id}/denial", endpoint(authorize.deny), methods=["POST"]),
        Route("/device", endpoint(authorize.device, page), methods=["GET"]),
        Route("/agents", endpoint(grants.register_agent), methods=["POST"]),
        Route("/grants", endpoint(grants.request_grant), methods=["POST"]),
        Route("/grants/{grant_id}/challenge", endpoint(grants.challenge), methods=["POST"]),
        Route("/grants/{grant_id}/approval", endpoint(grants.consent), methods=["POST"]),
        Route("/grants/{grant_id}/denial", endpoint(grants.decline), methods=["POST"]),
        Route("/grants/{grant_id}", endpoint(grants.show), methods=["GET"]),
        Route("/grants/{grant_id}/block", endpoint(grants.block), methods=["POST"]),
        Route("/grants/{grant_id}/block", endpoint(grants.unblock), methods=["DELETE"]),
        Route("/grants/{grant_id}", endpoint(grants.revoke), methods=["DELETE"]),
        Route("/account/sign-up", endpoint(accounts.begin_sign_up), methods=["POST"]),
        Route("/account/sign-up/{challenge_id}", endpoint(accounts.finish_sign_up), methods=["POST"]),
        Route("/account/sign-in", endpoint(accounts.begin_sign_in), methods=["POST"]),
        Route("/account/sign-in/{challenge_id}", endpoint(accounts.finish_sign_in), methods=["POST"]),
        Route("/account/sign-out", endpoint(accounts.sign_out), methods=["POST"]),
        Route("/account/enrollment-window/challenge", endpoint(enrollments.challenge), methods=["POST"]),
        Route("/account/enrollment-window/approval", endpoint(enrollments.approve), methods=["POST"]),
        Route("/account/enrollment-window", endpoint(enrollments.close), methods=["DELETE"]),
        Route("/credentials", endpoint(accounts.begin_enrollment), methods=["POST"]),
        Route("/credentials/{challenge_id}", endpoint(accounts.finish_enrollment), methods=["POST"]),
        Route("/credentials/{credential_id}", endpoint(accounts.remove), methods=["DELETE"]),
        Route(
            "/credentials/{credential_id}/approval", endpoint(accounts.approve_enrollment), methods=["POST"]
        ),
        Route("/account", endpoint(pages.account, page), methods=["GET"]),
        Route("/static/{name}", endpoint(pages.static), methods=["GET"]),
        Route("/shim.js", endpoint(shim.classic), methods=["GET"]),
        Route("/shim.mjs", endpoint(shim.module), methods=["GET"]),
        Route("/mcp.mjs", endpoint(shim.mcp), methods=["GET"]),
        Route("/words.mjs", endpoint(shim.words), methods=["GET"]),
        Route("/log/checkpoint", endpoint(record.checkpoint), methods=["GET"]),
        shared("/jwks.json", endpoint(metadata.jwks), "GET"),
        Route("/openapi.json", endpoint(openapi.show), methods=["GET"]),
        Route("/healthz", operations.healthz, methods=["GET"]),
        Route("/readyz", endpoint(operations.readyz), methods=["GET"]),
        Route("/metrics", log.metrics, methods=["GET"]),
    ]


def well_known_routes(issuer: str, current: Current, log: Log, door: Middleware) -> list[BaseRoute]:
    """Return the routes that only the root of the host can answer (RFC 8414 §3.1, RFC 9728 §3.1: path insertion).

    And the issuer itself, where it has a path, which leads to the page of the account. Starlette's `Mount` takes it
    with a slash only, and a site's router would lead on to that, by http and on any host (DOOR-5).
    """
    endpoint = Endpoint(current, log)
    suffix = "".join(f"/{step}" for step in issuer.split("/")[3:])
    answers = {
        f"/.well-known/oauth-authorization-server{suffix}": metadata.server,
        f"/.well-known/oauth-protected-resource{suffix}": metadata.resource,
        "/" + resource_metadata_url(issuer).split("/", 3)[3]: metadata.mcp,
    }
    to_account = RedirectResponse(f"{issuer}/account", 303)
    here = [shared(path, endpoint(answer), "GET", door) for path, answer in answers.items()]
    if suffix:  # it is ours, and nobody looks for a guard in front of it
        here.append(
            Route(suffix, lambda _: to_account, methods=["GET"], middleware=[door], include_in_schema=False)
        )
    return [*here, *(_Slashed(path, door) for path in answers)]


class _Slashed(Route):
    """Where slashes are too many: the router is the site's, and would lead on from there, to any host (DOOR-5)."""

    def __init__(self, path: str, door: Middleware) -> None:
        super().__init__(path, nowhere, middleware=[door])
        self.path_regex = re.compile(rf"{re.escape(path)}\n?/+\n?\Z")

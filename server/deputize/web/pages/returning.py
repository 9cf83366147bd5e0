"""How a page leads whoever is not signed in to the account page, and from there back."""

import re
from urllib.parse import unquote, urlencode

from starlette.responses import RedirectResponse, Response

from ...protocol.policy import Site
from ...protocol.url import origin_of
from ..context import Context

_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path and what may follow it, as no reader of URLs takes it for a host: printable, and without backslashes."""


def sign_in(context: Context) -> Response:
    """Let the user sign in first, and come back to where he is."""
    authority = context.authority
    straight = authority.login is not None and not authority.own_users  # SIGNIN-1
    account = f"{authority.policy.site.issuer}/account"
    return RedirectResponse(_and_back(context, f"{account}/sign-in" if straight else account), 303)


def account_uri(context: Context) -> str:
    """Return the address of the account page that leads back to where the user is."""
    return _and_back(context, f"{context.authority.policy.site.issuer}/account")


def _and_back(context: Context, uri: str) -> str:
    url = context.request.url
    return_to = f"{url.path}?{url.query}" if url.query else url.path
    return f"{uri}?{urlencode({'return_to': return_to})}"


def to_login(context: Context, **more: str) -> str:
    """Return the way to the site's login, which leads back to where this page leads (SIGNIN-1)."""
    wanted = context.request.query_params.get("return_to")
    asked = urlencode({**({"return_to": wanted} if wanted else {}), **more})
    return f"{context.authority.policy.site.issuer}/account/sign-in{'?' if asked else ''}{asked}"


def target(site: Site, return_to: str) -> str | None:
    """Return the address that a `return_to` names: a path of the authority's origin, or a page of the site's origin.

    None for anything else, so that nobody is sent elsewhere, and for the way to the login itself, or a browser would go
    round and round (SIGNIN-2).
    """
    ours = origin_of(site.issuer)
    if "/account/sign-in" in unquote(return_to):
        return None
    if _PATH.fullmatch(return_to):
        return ours + return_to
    path = return_to.removeprefix(site.origin)
    return return_to if path != return_to and _PATH.fullmatch(path) else None


def back(context: Context) -> str | None:
    """Return where whoever has signed in at the site goes on, if that is a page of the authority's."""
    issuer = context.authority.policy.site.issuer
    inside = "/".join(["", *issuer.split("/")[3:], ""])
    wanted = context.request.query_params.get("return_to", "")
    return (
        issuer + wanted.removeprefix(inside[:-1])
        if wanted.startswith(inside) and "//" not in wanted
        else None
    )

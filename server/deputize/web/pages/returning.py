"""How a page leads whoever is not signed in to the account page, and from there back."""

from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from ..context import Context


def sign_in(context: Context) -> Response:
    """Let the user sign in first, and come back to where he is."""
    return RedirectResponse(account_uri(context), 303)


def account_uri(context: Context) -> str:
    """Return the address of the account page that leads back to where the user is."""
    url = context.request.url
    return_to = f"{url.path}?{url.query}" if url.query else url.path
    return f"{context.authority.policy.site.issuer}/account?{urlencode({'return_to': return_to})}"


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

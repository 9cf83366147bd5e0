"""For the site's API: nothing runs but what was allowed, with exactly those arguments, once (PROTOCOL §7)."""

from ..extras import needing

with needing("guard"):
    from .admission import GuardedCall
    from .guard import Guard, Redeemer
    from .middleware import GuardMiddleware
    from .remote import HttpRedeemer
    from .start import GuardedRoute, Unguarded

__all__ = ["Guard", "GuardMiddleware", "GuardedCall", "GuardedRoute", "HttpRedeemer", "Redeemer", "Unguarded"]

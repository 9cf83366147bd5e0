"""A proxy whose policy is what its file says now, as the authority's is (POLICY-1, POLICY-2)."""

import logging
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ...protocol.policy import Policy
from ...settings.following import Followed
from ..guard import Guard
from ..remote import HttpRedeemer
from .app import Proxy
from .facts import Facts
from .upstream import Upstream

_LOG = logging.getLogger("deputize.guard")


def guarding(
    path: Path, key: EllipticCurvePrivateKey, upstream: Upstream, origin: str | None = None
) -> Proxy:
    """Make a proxy in front of an upstream, for the endpoints at this origin of the API, or for all.

    PolicyError or OSError for a file that is no policy.
    """
    followed = Followed(path)

    def policy() -> Policy:
        if followed.changed() and followed.fault is not None:
            _LOG.error("%s has changed, and the policy before stays in force: %s", path, followed.fault)
        return followed.policy

    issuer, audience = followed.policy.site.issuer, followed.policy.api.audience  # neither can change
    authority = HttpRedeemer(issuer, key)
    guard = Guard(issuer, audience, authority.key_of, authority, tools=lambda: followed.policy.tools)
    return Proxy(policy, guard, Facts(key, audience), upstream, origin, authority.aclose)

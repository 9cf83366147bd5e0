"""What a guard in another process than the authority reads at its start: the policy, and its own key."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ..crypto import jwk_file
from ..protocol.endpoints import Endpoints
from ..protocol.policy import Policy
from ..settings import load

PolicyFile = Policy | Path | str
"""A policy, or where its file is."""

KeyFile = EllipticCurvePrivateKey | Path | str
"""The key of a guard, or where its file is, as `deputize guard keygen` writes it."""


def policy_in(policy: PolicyFile) -> Policy:
    """Return the policy; PolicyError for a file with faults, OSError for one that is not there."""
    return policy if isinstance(policy, Policy) else load(policy)


def key_in(key: KeyFile) -> EllipticCurvePrivateKey:
    """Return the key; ValueError for a file that has none, OSError for one that is not there."""
    return key if isinstance(key, EllipticCurvePrivateKey) else jwk_file.load(key)


def endpoints_of(policy: Policy, origin: str | None) -> Endpoints:
    """Return the endpoints at this origin of the API, by default the first; ValueError if there are none."""
    found = policy.endpoints(origin or policy.api.origins[0])
    if not list(found):
        raise ValueError(
            "the policy names no endpoint of this API, so nothing would be guarded: write one into its tools, as "
            'endpoint = "POST /api/transfers"'
        )
    return found

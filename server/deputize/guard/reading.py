"""What a guard in another process than the authority reads at its start: the policy, and its own key."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ..crypto import jwk_file
from ..crypto.jwt import jwk_of
from ..protocol.endpoints import Endpoints
from ..protocol.jwk import thumbprint
from ..protocol.policy import Policy
from ..settings import load

PolicyFile = Policy | Path | str
"""A policy, or where its file is."""

KeyFile = EllipticCurvePrivateKey | Path | str
"""The key of a guard, or where its file is, as `deputize guard keygen` writes it."""


def policy_in(policy: PolicyFile) -> Policy:
    """Return the policy; PolicyError for a file with faults, OSError for one that is not there."""
    return policy if isinstance(policy, Policy) else load(policy)


def key_in(key: KeyFile, policy: Policy) -> EllipticCurvePrivateKey:
    """Return the key; ValueError for a file with none, or a key that the policy does not name, OSError for no file."""
    try:
        found = key if isinstance(key, EllipticCurvePrivateKey) else jwk_file.load(key)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {key}; `deputize guard keygen {key}` makes one") from None
    if thumbprint(jwk_of(found.public_key())) not in map(thumbprint, policy.api.keys):
        raise ValueError(
            f"the policy does not name the key of this guard; under [api], write: {jwk_file.line('keys', found)}"
        )
    return found


def endpoints_of(policy: Policy, origin: str | None) -> Endpoints:
    """Return the endpoints at this origin of the API, by default the first; ValueError if there are none."""
    found = policy.endpoints(origin or policy.api.origins[0])
    if not list(found):
        raise ValueError(
            "the policy names no endpoint of this API, so nothing would be guarded: write one into its tools, as "
            'endpoint = "POST /api/transfers"'
        )
    return found

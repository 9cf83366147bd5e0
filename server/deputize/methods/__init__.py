"""The methods of approval that an authority has (APPR-9): a module each, registered by being in this folder.

A module is named as its method is in evidence, and has two things:

* `RANK`: who can answer by several methods is asked by that of the lowest. `webauthn` has 0, since no other is as hard
  to fool.
* `method(policy, secret)`, which makes the method (`service.methods.Method`). Of the policy it may take what cannot
  change while the authority runs (POLICY-2). The secret has 32 bytes: of this authority and for this method alone.

Only this folder is looked through. A site that has a method of its own sets `authority.methods`.
"""

import hmac
from importlib import import_module
from pkgutil import iter_modules

from ..protocol.policy import Policy
from ..service.methods import Method, Methods


def methods(policy: Policy, secret: bytes) -> Methods:
    """Make all of them, best first; ValueError for one that has another name than its module, or another's rank."""
    found: dict[int, Method] = {}
    for name in sorted(module.name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
        made: Method = module.method(
            policy, hmac.digest(secret, f"deputize.method.{name}".encode(), "sha256")
        )
        if made.name != name:
            raise ValueError(f"the module {name} has the method of approval {made.name}")
        if found.setdefault(module.RANK, made) is not made:
            raise ValueError(f"{found[module.RANK].name} and {name} have one rank as methods of approval")
    return Methods(tuple(found[rank] for rank in sorted(found)))

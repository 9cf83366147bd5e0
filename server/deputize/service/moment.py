"""What every use case is given besides its transaction and what was asked."""

from collections.abc import Callable
from dataclasses import field

from ..protocol.policy import Policy
from ..protocol.value import value
from .methods import Methods

Random = Callable[[int], bytes]


@value
class Moment:
    """One request's own view: the policy in force, randomness (`random(n)` is n bytes), and the second that it is.

    `language` is that of the person who is asked (BCP 47); `methods` are those by which somebody can approve.
    """

    policy: Policy
    random: Random
    now: int
    language: str = "en"
    methods: Methods = field(default_factory=Methods)

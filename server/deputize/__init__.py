"""Who calls, what the user allowed, and whether a human approved this very call: for WebMCP tools of a page.

    authority = deputize.Deputize("deputize.toml", data="var", current_user=…)

The public names are loaded when they are first used, and say which extra they come with where that is not installed.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from deputize.extras import needing

if TYPE_CHECKING:
    from deputize.app import Deputize, HandledCall, SiteUser, ToolFailed
    from deputize.guard import GuardedCall
    from deputize.protocol.policy import Policy
    from deputize.settings import PolicyError, load
    from deputize.web.hardening import LocalhostRedirect

__all__ = [
    "Deputize",
    "GuardedCall",
    "HandledCall",
    "LocalhostRedirect",
    "Policy",
    "PolicyError",
    "SiteUser",
    "ToolFailed",
    "__version__",
    "load",
]

_HOMES = {
    "deputize.app": ("Deputize", "HandledCall", "SiteUser", "ToolFailed"),
    "deputize.guard": ("GuardedCall",),
    "deputize.protocol.policy": ("Policy",),
    "deputize.settings": ("PolicyError", "load"),
    "deputize.web.hardening": ("LocalhostRedirect",),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return version("deputize")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'deputize' has no attribute {name!r}")
    with needing("guard" if home == "deputize.guard" else "server"):
        return getattr(import_module(home), name)

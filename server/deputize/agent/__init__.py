"""For agent builders: be deputized by a user, and show it with each call.

key = AgentKey.load("agent.jwk")
agent = AgentClient("https://bank.example/deputize", "https://agent.example/agent.json", key)
agent.login("account:read")
input = {**arguments, **agent.evidence("get_balance", arguments)}
"""

from ..extras import needing

with needing("agent"):
    from .async_client import AsyncAgentClient
    from .client import AgentClient
    from .document import client_document
    from .errors import (
        AccessDenied,
        AgentError,
        ClientRefused,
        ConsentNeeded,
        NotDeputized,
        OAuthError,
        RequestExpired,
        Unexpected,
        Unreachable,
    )
    from .flows import EVIDENCE, DeviceCode
    from .key import AgentKey
    from .loopback import LOOPBACK_REDIRECT, Loopback
    from .metadata import Metadata
    from .tokens import TokenFile, Tokens, TokenStore

__all__ = [
    "EVIDENCE",
    "LOOPBACK_REDIRECT",
    "AccessDenied",
    "AgentClient",
    "AgentError",
    "AgentKey",
    "AsyncAgentClient",
    "ClientRefused",
    "ConsentNeeded",
    "DeviceCode",
    "Loopback",
    "Metadata",
    "NotDeputized",
    "OAuthError",
    "RequestExpired",
    "TokenFile",
    "TokenStore",
    "Tokens",
    "Unexpected",
    "Unreachable",
    "client_document",
]

"""What stands in the bodies and answers of several endpoints, as types: by these it is read, written and described.

A member's own type is what is checked; `said` adds what JSON Schema can say besides. What one endpoint alone has is in
its module.
"""

from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from ..crypto.jwt import MAX_TOKEN
from ..protocol import question
from ..protocol.canonical import Json
from ..protocol.errors import Code
from ..protocol.question import PARTS


def said(**schema: Json) -> Meta:
    """Say more of a type in the document; nothing is checked by it."""
    return Meta(extra_json_schema={**schema})


def an_id(prefix: str) -> Meta:
    """Describe an identifier (`protocol/ids.py`)."""
    return said(pattern=f"^{prefix}_[A-Za-z0-9_-]{{22}}$")


CallIdText = Annotated[str, an_id("cal")]
ChallengeIdText = Annotated[str, an_id("chl")]
GrantIdText = Annotated[str, an_id("grt")]
UserIdText = Annotated[str, an_id("usr")]
Jwt = Annotated[str, said(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", maxLength=MAX_TOKEN)]
Hash = Annotated[str, said(pattern="^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
Base64Url = Annotated[str, said(pattern="^[A-Za-z0-9_-]+$")]
Word = Annotated[str, said(minLength=1)]
Uri = Annotated[str, said(format="uri")]
Seconds = Annotated[int, said(minimum=0)]
ToolName = Annotated[str, said(pattern=r"^(?!deputize\.)[A-Za-z0-9_.-]{1,128}$")]
Scope = Annotated[
    str, said(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,128}( [\x21\x23-\x5b\x5d-\x7e]{1,128}){0,31}$")
]
REF = "#/components/schemas/{name}"
MAX_DELIVERED = 100
Object: TypeAlias = dict[str, Any]


class Closed(Struct, forbid_unknown_fields=True):
    """An object with these members and no others (JSON-3)."""


class Nothing(Closed):
    """Nothing is said."""


class No(Closed):
    """The user's no on a page of the authority's; with `block`, its agent is blocked, too (BLOCK-1)."""

    block: bool = False


class Evidence(TypedDict):
    """The evidence of an approval (SEP-2672 §4.5), with what else its method reads (APPR-9)."""

    method: str
    challengeId: str
    response: NotRequired[
        Annotated[Object, said(description="AuthenticationResponseJSON (WebAuthn L3 §5.1)")]
    ]


def sent(evidence: Evidence) -> dict[str, Json]:
    """Return evidence as the object that it is: of what is in it, its method reads what is its own (APPR-9)."""
    return cast("dict[str, Json]", evidence)


class CallRequest(Closed):
    """A call that is to be decided (CALL-1)."""

    tool: ToolName
    arguments: Object
    definition_s256: Hash
    delivered: Annotated[list[CallIdText], said(maxItems=MAX_DELIVERED)] = []


class Enrollment(Closed):
    """The beginning of an enrollment; with `recovery`, by a recovery link (CRED-5)."""

    recovery: str | UnsetType = UNSET


class Line(Closed):
    """One line of a text, and how it is drawn."""

    part: Annotated[str, said(enum=[*PARTS])]
    line: str


class Text(Closed):
    """What is read by whoever is asked (GRANT-2, APPR-2)."""

    language: str
    lines: list[Line]

    @classmethod
    def of(cls, text: question.Text) -> "Text":
        """Write a text."""
        return cls(text.language, list(map(Line, text.parts, map(str, text.lines))))


class Row(Closed):
    """An argument that is shown besides: what it is called, and its value, or of a list those of its entries."""

    title: str
    values: list[str]


class Challenge(Closed, rename="camel"):
    """A challenge, as SEP-2672 §4.4.3 has it (APPR-1)."""

    challenge_id: ChallengeIdText
    display_text: str
    text: Text
    expires_at: Annotated[str, said(format="date-time")]
    # of passkeys; another method of approval has the others (APPR-9)
    request_options: Object | UnsetType = UNSET
    method: Word | UnsetType = UNSET
    challenge: Base64Url | UnsetType = UNSET
    request: Object | UnsetType = UNSET


class User(Closed):
    """Who is signed in."""

    id: UserIdText
    name: str


class Problem(Struct):
    """A no (RFC 9457, ERR-1), with facts of its own."""

    type: Literal["about:blank"]
    title: str
    status: Annotated[int, said(minimum=400, maximum=599)]
    detail: str
    code: Code


class OAuthError(Struct):
    """A no of OAuth (RFC 6749 §5.2, ERR-1)."""

    error: Code
    error_description: str

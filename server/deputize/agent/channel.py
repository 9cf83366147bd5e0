"""The way to one authority: what each request of a client needs, and when it is worth another try."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from ..crypto.client_assertion import ASSERTION_TYPE
from ..protocol.canonical import Json
from .errors import AgentError, Unexpected, oauth_error
from .key import AgentKey
from .metadata import Metadata, metadata_url, read_metadata
from .wire import Answer, Flow, Request


class Channel:
    """Remembers what the next request needs: the endpoints, the newest nonce, the authority's clock."""

    def __init__(self, issuer: str, client_id: str, key: AgentKey, clock: Callable[[], float]) -> None:
        """Begin with nothing remembered. `clock` returns seconds since the epoch."""
        self._issuer, self._client_id, self._key, self._clock = issuer, client_id, key, clock
        self._metadata: Metadata | None = None
        self._nonce: str | None = None
        self._offset = 0

    @property
    def now(self) -> int:
        """Return the time at the authority, in seconds since the epoch, as far as it has told."""
        return int(self._clock()) + self._offset

    def discover(self) -> Flow[Metadata]:
        """Find the authority's endpoints, once (RFC 8414)."""
        if self._metadata is None:
            answer = yield Request("GET", metadata_url(self._issuer), {"accept": "application/json"})
            self._metadata = read_metadata(answer, self._issuer)
        return self._metadata

    def post(
        self, url: str, form: Mapping[str, str], *, proven: bool = True, after: float = 0.0
    ) -> Flow[dict[str, Json]]:
        """Send a form as this client, and return the JSON object in the answer; OAuthError or Unexpected.

        It is sent `after` so many seconds, with a DPoP proof if `proven`, and once more where the authority asks for
        a nonce (RFC 9449 §8) or says that our clock is wrong.
        """
        cured: set[str] = set()
        while True:
            answer = yield self._request(url, form, proven, after)
            self._nonce = answer.headers.get("dpop-nonce", self._nonce)  # RFC 9449 §8.2
            said = answer.json()
            if answer.good:
                return said
            cure = self._cure(answer, said)
            if cure is None or cure in cured:
                raise _refusal(answer, said)
            cured.add(cure)
            after = 0.0

    def _request(self, url: str, form: Mapping[str, str], proven: bool, after: float) -> Request:
        signed = {
            "client_id": self._client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._key.assertion(self._client_id, self._issuer, self.now),
        }
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        if proven:
            nonce = {} if self._nonce is None else {"nonce": self._nonce}
            headers["dpop"] = self._key.proof("POST", url, self.now, **nonce)
        return Request("POST", url, headers, urlencode({**form, **signed}).encode(), after)

    def _cure(self, answer: Answer, said: Mapping[str, Json]) -> str | None:
        """Do what lets another try succeed, and name it; None if nothing would."""
        match said:
            case {"error": "use_dpop_nonce"} if "dpop-nonce" in answer.headers:
                return "nonce"
            case {"error": "invalid_dpop_proof" | "invalid_client", "now": int(now)}:
                self._offset = now - int(self._clock())
                return "clock"
        return None


def _refusal(answer: Answer, said: Mapping[str, Json]) -> AgentError:
    code, description = said.get("error"), said.get("error_description", "")
    if not isinstance(code, str) or not isinstance(description, str):
        return Unexpected(f"The authority answered {answer.status} without saying why.")
    return oauth_error(code, description)

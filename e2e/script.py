"""What script of the site's own page can do without the shim: it has the same cookie and the same key.

Such script is inside the trust base of the page, not of the authority (docs/architecture.md §3). The tests let it try.
"""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

_SEND = """async ({url, method, body, headers, proof, token}) => {
  const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  const segment = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)));
  const held = await new Promise((resolve, reject) => {
    const opening = indexedDB.open('deputize');
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      if (!database.objectStoreNames.contains('holding')) return resolve(null);
      const reading = database.transaction('holding').objectStore('holding').getAll();
      reading.onsuccess = () => { database.close(); resolve(reading.result[0] ?? null); };
    };
  });
  const access = token ? held.tokens.access : null;
  if (access) headers.Authorization = `DPoP ${access}`;
  if (proof) {
    const hash = (text) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
    const { now } = await (await fetch(`${proof.issuer}/tools`)).json();
    const claims = { htm: method, htu: url, iat: now, jti: crypto.randomUUID() };
    if (access) claims.ath = base64url(await hash(access));
    const signed = `${segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: held.key.jwk })}.${segment(claims)}`;
    const bytes = new TextEncoder().encode(signed);
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
    const signature = await crypto.subtle.sign(algorithm, held.key.privateKey, bytes);
    headers[access ? 'DPoP' : 'Deputize-Page'] = `${signed}.${base64url(signature)}`;
  }
  if (body !== null) headers['Content-Type'] = 'application/json';
  const response = await fetch(url, { method, headers, body: body === null ? null : JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the JSON."""

    status: int
    body: Any

    @property
    def code(self) -> str | None:
        """Return the reason of a refusal."""
        return self.body.get("code") if isinstance(self.body, dict) else None


class PageScript:
    """Script in the page of one tab."""

    def __init__(self, tab: Page, issuer: str) -> None:
        self._tab = tab
        self._issuer = issuer

    def send(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        *,
        proof: bool = False,
        token: bool = False,
    ) -> Answer:
        """Send a request from the page, with a fresh proof by the page's key and the delegation if wanted."""
        told = self._tab.evaluate(
            _SEND,
            {
                "url": url,
                "method": method,
                "body": body,
                "headers": headers or {},
                "proof": {"issuer": self._issuer} if proof else None,
                "token": token,
            },
        )
        return Answer(told["status"], told["body"])

    def authority(
        self, path: str, body: object = None, *, proof: bool = False, token: bool = False
    ) -> Answer:
        """Post to the authority, with the CSRF token that any script of the page can read."""
        csrf = self.send("GET", f"{self._issuer}/tools").body["csrf"]
        headers = {"Deputize-CSRF": csrf} if csrf else {}
        return self.send("POST", self._issuer + path, body or {}, headers, proof=proof, token=token)

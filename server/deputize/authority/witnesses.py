"""The witnesses of the record are asked to cosign its checkpoints, and no decision waits for them (LOG-10)."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

import httpx2

from ..crypto.note import Cosigner, NoteError, signers
from ..protocol.policy import Witness
from ..protocol.witness import AddCheckpoint
from ..service.record import Signed

PATIENCE = 5.0
"""Seconds that all witnesses together have for one checkpoint."""
_MOST = 16 * 1024  # bytes of an answer
_SIZE_DIGITS = 19

Prove = Callable[[int], Awaitable[Sequence[bytes]]]
"""Proves that the checkpoint continues the record of so many entries; ValueError if that had more."""


class _Fault(Exception):
    """A witness has not cosigned; the message says why, for the owner."""


@dataclass
class Witnesses:
    """Those that the policy names. `seen` is how many entries each has cosigned, as far as is known here; `faults` are
    sentences on those who did not cosign last time."""

    named: tuple[Witness, ...]
    seen: dict[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    async def cosign(self, signed: Signed, prove: Prove) -> Signed:
        """Ask them all at once, and return the note with the cosignatures that came in time."""
        async with _client() as http:
            asked = [self._ask(http, witness, signed, prove) for witness in self.named]
            answers = await asyncio.gather(*asked)
        lines = [line for line, _ in answers if line]
        self.faults = tuple(fault for _, fault in answers if fault)
        return Signed(signed.size, signed.note + "".join(lines))

    @property
    def cosigned(self) -> int:
        """Return how many of them cosigned the last time that they were asked."""
        return len(self.named) - len(self.faults)

    async def shown(self, origin: str) -> list[bytes]:
        """Return what they show as the newest checkpoint of a log, those who do so in time: not every witness does."""
        async with _client() as http:
            path = f"{sha256(origin.encode()).hexdigest()}/checkpoint"
            asked = [self._get(http, f"{witness.url}/{path}") for witness in self.named]
            return [note for note in await asyncio.gather(*asked) if note]

    async def _get(self, http: httpx2.AsyncClient, url: str) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE), http.stream("GET", url) as answer:
                return await _body(answer) if answer.status_code == 200 else b""
        except (_Fault, TimeoutError, httpx2.HTTPError):
            return b""

    async def _ask(
        self, http: httpx2.AsyncClient, witness: Witness, signed: Signed, prove: Prove
    ) -> tuple[str, str]:
        """Return a witness's line, or why there is none."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._cosigned(http, witness, signed, prove), ""
        except (_Fault, TimeoutError, httpx2.HTTPError) as error:
            return "", f"the witness at {witness.url} has not cosigned: {str(error) or type(error).__name__}"

    async def _cosigned(
        self, http: httpx2.AsyncClient, witness: Witness, signed: Signed, prove: Prove
    ) -> str:
        status, text = await self._post(http, witness, signed, prove)
        if status == 409:  # it knows more, or less, than was known here
            size = text.removesuffix("\n")
            if not (size.isascii() and size.isdigit() and len(size) <= _SIZE_DIGITS):
                raise _Fault("it does not say what it has seen")
            self.seen[witness.url] = int(size)
            if int(size) > signed.size:
                raise _Fault(f"it has seen {int(size)} entries of this record, which has {signed.size} now")
            status, text = await self._post(http, witness, signed, prove)
        if status == 422:
            raise _Fault("to it, this is not the record that it has seen before")
        if status == 403:
            raise _Fault("it does not know the key of this record")
        if status != 200:
            raise _Fault(f"it answers {status}")
        line = _line_of(Cosigner.parse(witness.key), signed.note, text)
        self.seen[witness.url] = signed.size
        return line

    async def _post(
        self, http: httpx2.AsyncClient, witness: Witness, signed: Signed, prove: Prove
    ) -> tuple[int, str]:
        old = self.seen.get(witness.url, 0)
        if old > signed.size:
            old = 0  # it is asked what it has seen
        body = AddCheckpoint(old, tuple(await prove(old)), signed.note).text()
        async with http.stream("POST", f"{witness.url}/add-checkpoint", content=body.encode()) as answer:
            return answer.status_code, (await _body(answer)).decode(errors="replace")


@cache
def _tls() -> ssl.SSLContext:
    """Return what all rounds share: to read the certificates of all authorities anew takes longer than a round."""
    return httpx2.create_ssl_context()


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(verify=_tls(), timeout=PATIENCE, trust_env=False)


async def _body(answer: httpx2.Response) -> bytes:
    data = bytearray()
    async for part in answer.aiter_bytes():
        data += part
        if len(data) > _MOST:
            raise _Fault("its answer is too long")
    return bytes(data)


def _line_of(witness: Cosigner, note: str, answer: str) -> str:
    """Return the one line of an answer that is this witness's cosignature; lines by other keys mean nothing."""
    for line in answer.splitlines(keepends=True):
        try:
            if signers(note + line, [witness])[1]:
                return line
        except NoteError:
            continue
    raise _Fault("its answer has no cosignature by its key")

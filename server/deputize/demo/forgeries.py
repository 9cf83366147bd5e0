"""What whoever runs the bank could do to its record, since he has its data and its keys. He does it to copies."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from deputize import Deputize, settings
from deputize.authority.head_file import BESIDE
from deputize.log.log import Log
from deputize.opening import KEYS, copy_store, copy_users_keys, replace_store, take_store
from deputize.protocol.policy import Witness
from deputize.testing.server import Site

_DATABASE = "deputize.db"


@dataclass(frozen=True, slots=True)
class Insider:
    """Somebody with the data of the bank, in `data`, who has a folder of his own for copies, and a log for them."""

    data: Path
    work: Path
    log: Log

    @property
    def policy(self) -> Path:
        """The bank's policy file."""
        return self.data / "deputize.toml"

    @property
    def older(self) -> Path:
        """The copy that `keep_older` made."""
        return self.work / "older"

    def keep_older(self) -> None:
        """Make a copy now, to come back to."""
        self.copy("older")

    def entries(self, data: Path) -> int:
        """Count the entries of a record."""
        with closing(sqlite3.connect(data / _DATABASE)) as database:
            (count,) = database.execute("SELECT count(*) FROM entries").fetchone()
        return int(count)

    def copy(self, name: str, of: Path | None = None) -> Path:
        """Copy all of the authority's data into a new folder of this name; it may be served meanwhile."""
        copy, of = self.work / name, of or self.data
        copy.mkdir(mode=0o700)
        for file in (BESIDE, KEYS):  # the checkpoint first: the database is not to be behind it
            shutil.copy(of / file, copy)
        copy_store(of, copy)
        copy_users_keys(of, copy)
        return copy

    @contextmanager
    def serving(self, data: Path, *witnesses: Witness) -> Iterator[str]:
        """Serve a copy as the bank's own record, of which these are the witnesses; yields the site's address.

        Where the newest checkpoint was taken away, the next one is made by the bank's own key.
        """
        policy = settings.load(self.policy)
        policy = replace(
            policy,
            api=replace(policy.api, elsewhere=True),  # nothing but the authority is served
            record=replace(policy.record, witnesses=witnesses, quorum=len(witnesses)),
        )

        def build(_: int) -> Starlette:
            authority = Deputize(policy, data, log=self.log, new_head=True)
            return Starlette(routes=[Mount("/deputize", authority)], lifespan=authority.lifespan)

        with Site(build) as site:
            yield site.url

    def put_back(self, data: Path) -> None:
        """Write the older copy over a database that is open."""
        name = "deputize.db"
        with (
            closing(sqlite3.connect(self.older / name)) as older,
            closing(sqlite3.connect(data / name)) as there,
        ):
            older.backup(there)

    def restore_halfway(self, data: Path) -> None:
        """Put the older copy in the place of a database as `deputize restore` does, up to its last step (RESTORE-3)."""
        made = data / ".restore"
        made.mkdir()
        take_store(self.older, made)
        replace_store(data, made, data / "replaced")


def unchanged(path: str, body: bytes) -> bytes:
    """Pass an answer on as it came."""
    return body


@contextmanager
def proxy(
    where: Callable[[Request], str], change: Callable[[str, bytes], bytes] = unchanged
) -> Iterator[str]:
    """Run a proxy that chooses a site for each request, and may change the answer to a path; yields its address."""

    async def pass_on(request: Request) -> Response:
        path = request.url.path
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.get(where(request) + path)
        return Response(change(path, answer.content), answer.status_code)

    with Site(lambda _: Starlette(routes=[Route("/{path:path}", pass_on)])) as site:
        yield site.url

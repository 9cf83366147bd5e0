"""The agent of `js/interop`, as a process to talk with."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30  # seconds for one line, on a machine that has other things to do


@dataclass
class Stranger:
    """An agent that runs. `refused` are the errors that it met on its way and went on from."""

    process: asyncio.subprocess.Process
    refused: list[str] = field(default_factory=list)

    async def hear(self, name: str) -> Any:
        """Return what it says under this name, which has to be the next thing that it says."""
        assert self.process.stdout
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        if not line:
            assert self.process.stderr
            raise AssertionError((await self.process.stderr.read()).decode())
        said = json.loads(line)
        if "refused" in said:
            self.refused.append(said["refused"])
            return await self.hear(name)
        assert name in said, said
        return said[name]

    def tell(self, **facts: Any) -> None:
        """Say one line to it."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(facts).encode() + b"\n")


@asynccontextmanager
async def stranger(flow: str) -> AsyncIterator[Stranger]:
    """Start it, and see it end well; it is ended if the test does not come to that."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "node", "interop/agent.js", flow, cwd=ROOT / "js", stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        yield Stranger(process)
        _, told = await asyncio.wait_for(process.communicate(b""), PATIENCE)
        assert process.returncode == 0, told.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

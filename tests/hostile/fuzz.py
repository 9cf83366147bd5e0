"""`make fuzz`: throw what nobody would think of at every parser, for so many seconds each.

atheris drives libFuzzer, which sees what a change of the input reaches in our code. What reached something new is kept
in `tests/corpus`, and so is what led to a fault, which fails as a test until it is mended.

    python -m tests.hostile.fuzz SECONDS [target …]
"""

import os
import sys
from pathlib import Path

import atheris
from tests.hostile import corpus

atheris.enabled_hooks.add("str")
with atheris.instrument_imports(include=["deputize"]):
    from tests.hostile.targets import TARGETS

WORK = Path(__file__).parents[2] / ".fuzz"
SLOW = 2.0  # seconds for one input, under instrumentation and on a busy machine
LARGEST = 64 * 1024


def run(name: str, seconds: int) -> bool:
    """Fuzz one parser in a process of its own, which ends after that; tell whether there was no fault."""
    seen = WORK / name / "seen"
    seen.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate((*TARGETS[name].seeds, *corpus.read(name))):
        (seen / f"seed{number}").write_bytes(data)
    child = os.fork()
    if child == 0:
        limits = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-timeout=20", "-verbosity=0"]
        fuzz(name, [*limits, f"-artifact_prefix={WORK / name}/", str(seen)])
    good = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = [*seen.iterdir(), *(WORK / name).glob("crash-*")]
    corpus.write(name, (path.read_bytes() for path in found))
    return good


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz one parser; does not return."""

    def once(data: bytes) -> None:
        if (took := TARGETS[name].seconds(data)) > SLOW:
            raise TimeoutError(f"{took:.2f} s for {len(data)} bytes")

    for seed in TARGETS[name].seeds:
        TARGETS[name].seconds(seed)  # what is loaded, or made, at the first time
    atheris.Setup([name, *options], once)
    atheris.Fuzz()


def main() -> None:
    """Fuzz each parser, or those that were named."""
    seconds, *names = sys.argv[1:]
    bad = []
    for name in names or TARGETS:
        print(f"{name}: for {seconds} s", flush=True)
        if not run(name, int(seconds)):
            bad.append(name)
    if bad:
        sys.exit(f"Faults, with what led to them in .fuzz: {', '.join(bad)}")
    print("No faults.")


if __name__ == "__main__":
    main()

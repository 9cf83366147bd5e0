"""`make fuzz`: throw what nobody would think of at every parser, for so many seconds each.

atheris drives libFuzzer, which sees what a change of the input reaches in our code. What is new is kept in
`tests/corpus`; what is a fault is printed, and kept in `.fuzz` until it is mended.

    python -m tests.hostile.fuzz SECONDS [target …]
"""

import shlex
import subprocess
import sys
from pathlib import Path

import atheris
from tests.hostile import corpus

atheris.enabled_hooks.add("str")
with atheris.instrument_imports(include=["deputize"]):
    from tests.hostile.targets import TARGETS, Target

WORK = Path(__file__).parents[2] / ".fuzz"
SLOW = 2.0  # seconds for one input, under instrumentation and on a busy machine
LARGEST = 64 * 1024


def run(name: str, seconds: int) -> bool:
    """Fuzz one parser in a process of its own; tell whether there was no fault."""
    seen, best = WORK / name / "seen", WORK / name / "best"
    for folder in (seen, best):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate((*TARGETS[name].seeds, *corpus.read(name))):
        (seen / f"seed{number}").write_bytes(data)
    this = command(name)
    limits = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-timeout=20", "-verbosity=0"]
    good = subprocess.run([*this, *limits, f"-artifact_prefix={WORK / name}/", str(seen)]).returncode == 0
    if good:  # a merge would stop at the fault as well
        subprocess.run([*this, "-merge=1", "-verbosity=0", str(best), str(seen)], check=True)
        corpus.write(name, (path.read_bytes() for path in best.iterdir()))
    return good


def command(name: str) -> list[str]:
    """Return what starts the process in which one parser is fuzzed."""
    return [sys.executable, "-m", "tests.hostile.fuzz", name]


def fuzz(name: str) -> None:
    """Be the process in which one parser is fuzzed; does not return."""
    target: Target = TARGETS[name]

    def once(data: bytes) -> None:
        if (took := target.seconds(data)) > SLOW:
            raise TimeoutError(f"{took:.2f} s for {len(data)} bytes")

    atheris.Setup(
        [shlex.join(command(name)), *sys.argv[2:]], once
    )  # to merge, libFuzzer has a shell run that again
    atheris.Fuzz()


def main() -> None:
    """Fuzz each parser, or those that were named."""
    seconds, *names = sys.argv[1:]
    bad = [name for name in names or TARGETS if not run(name, int(seconds))]
    sys.exit(f"Faults, with what led to them in .fuzz: {', '.join(bad)}" if bad else 0)


if __name__ == "__main__":
    fuzz(sys.argv[1]) if sys.argv[1] in TARGETS else main()

"""`make mutants`: does a test fail for what is wrong? One thing at a time is made wrong, in a sample of all there is.

Each mutant meets tests that come by its line, half of them those that come by least besides. What no test notices is
printed: it is read, and either a test is missing or the code says something that makes no difference.

What a module says when it is imported (constants, defaults) meets those that come by any line of it.

    python -m tests.mutants [--seed N] [--count N] [--tests N] [--among tests/service …] [store web/mcp/usual.py …]
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import orjson
from tests.mutants.mutations import Mutation, mutations

ROOT = Path(__file__).parents[2]
PACKAGE = Path("server", "deputize")
ROOMS = ("protocol", "service", "crypto", "guard", "store")
PATIENCE = 300  # seconds for the tests of one mutant, which may well hang
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
AT_ONCE = ["--numprocesses=auto", "--dist=worksteal"]


def environment(root: Path, **more: str) -> dict[str, str]:
    """Have the package be that of `root`, wherever else it is installed."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "server"), str(root)]), **more}


def covering(rooms: list[str], tests: list[str]) -> dict[str, list[str]]:
    """Run the tests once, and return which of them come by each line."""
    found: dict[str, list[str]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        watched = environment(ROOT, MUTANTS_ROOMS=" ".join(rooms), MUTANTS_MAP=folder)
        done = subprocess.run(
            [*PYTEST, *AT_ONCE, "-p", "tests.mutants.covering", *tests], cwd=ROOT, env=watched
        )
        if done.returncode > 1:
            sys.exit("The tests do not run without a mutant.")
        if done.returncode:
            print("What fails without a mutant is left out.", flush=True)
        for path in Path(folder).iterdir():
            for place, names in orjson.loads(path.read_bytes()).items():
                found[place] += names
    return found


def noticed(root: Path, tests: list[str]) -> str:
    """Return what became of a mutant that meets these tests: "died", "hung" or "lived"; RuntimeError if it met none."""
    names = root / "tests.txt"
    names.write_text("\n".join(tests))
    try:
        done = subprocess.run(
            [*PYTEST, "-x", f"@{names}"],
            cwd=root,
            env=environment(root),
            capture_output=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return "hung"
    if done.returncode == 5 or b"ERROR: not found:" in done.stderr:  # which is no test that fails
        raise RuntimeError((done.stdout + done.stderr).decode())
    return "died" if done.returncode else "lived"


def files(room: str) -> list[Path]:
    """Return the modules of a room, or the one that is named."""
    path = ROOT / PACKAGE / room
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def copied(tree: Path) -> Path:
    """Copy the project, to be spoiled."""
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "node_modules", "__pycache__"))
    (tree / "js" / "node_modules").symlink_to((ROOT / "js" / "node_modules").resolve())
    return tree


def main() -> None:
    """Take the sample, and try each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--tests", type=int, default=200, help="the most that one mutant meets")
    parser.add_argument("--among", nargs="+", default=["tests"], help="folders or files of tests")
    parser.add_argument("rooms", nargs="*", default=ROOMS, help="or modules, as store/writer.py")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", flush=True)
    lines = covering(list(chosen.rooms), chosen.among)
    breadth = Counter(name for names in lines.values() for name in names)

    meets: dict[tuple[Path, Mutation], list[str]] = {}
    for path in (path for room in chosen.rooms for path in files(room)):
        module = f"{path.relative_to(ROOT / PACKAGE)}:"
        whole = {name for place, names in lines.items() if place.startswith(module) for name in names}
        for mutation in mutations(path.read_text()):
            tests = whole if mutation.early else lines.get(f"{module}{mutation.line}", ())
            meets[path.relative_to(ROOT), mutation] = sorted(tests, key=lambda name: (breadth[name], name))
    every = [one for one, tests in meets.items() if tests]
    print(f"{len(every)} mutants, and {len(meets) - len(every)} on lines that no test comes by", flush=True)
    sample = random.Random(chosen.seed).sample(every, min(chosen.count, len(every)))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        trees: Queue[Path] = Queue()
        for number in range(os.cpu_count() or 1):
            trees.put(copied(Path(folder) / f"{number}"))

        def tried(one: tuple[Path, Mutation]) -> str:
            path, mutation = one
            tests = meets[one]
            closest, others = tests[: chosen.tests // 2], tests[chosen.tests // 2 :]
            some = random.Random(chosen.seed).sample(others, min(len(others), chosen.tests - len(closest)))
            tree = trees.get()
            try:
                source = (tree / path).read_text()
                (tree / path).write_text(mutation.of(source))
                end = noticed(tree, closest + some)
                (tree / path).write_text(source)
            finally:
                trees.put(tree)
            if end != "died":
                print(
                    f"{end} {path}:{mutation.line}  {mutation.told(source)}  ({len(tests)} tests)", flush=True
                )
            return end

        if noticed(trees.queue[0], sorted(breadth, key=breadth.__getitem__)[: chosen.tests]) != "lived":
            sys.exit("The tests fail in a copy of the project, without a mutant.")
        ends = Counter(threads.map(tried, sample))
    told = ", ".join(f"{number} {end}" for end, number in sorted(ends.items()))
    print(told)


if __name__ == "__main__":
    main()

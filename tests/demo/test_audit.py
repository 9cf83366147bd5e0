"""Nine lies about a record, as the demonstration's last act tells them: each is found, and told in one sentence.

Who finds them has the record's key and what she kept: no data, and nobody's word (LOG-7, LOG-10, HEAD-2, RESTORE-3).
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deputize.demo import site
from deputize.demo.audit import LIES, Lie, audit
from deputize.demo.auditor import Auditor, command
from deputize.demo.forgeries import Insider
from deputize.demo.lies import Trial
from deputize.demo.telling import Teller
from deputize.log.log import Log
from deputize.opening import opened
from deputize.protocol.entry import Entry
from deputize.service.ports import Tx

OLDER = (
    "The database has 5 entries where 14 were recorded: it is an older copy. Put the newest copy in its place, or go "
    "on with this one by `deputize restore --accept-rollback`, which suspends what users have allowed until they "
    "confirm it."
)
SHOWN_ANOTHER = (
    "its first 14 entries are not those that hers is signed over: they were rewritten since, or others are shown "
    "another record"
)
NOT_COSIGNED = (
    "its checkpoint of 14 entries is not cosigned by witness.example/harbor, and you want 1 of your witnesses: others "
    "may be shown another record"
)
ONE_NODE = (
    "it was cut off or put back: it had 14 entries, and now has the first 5 of them; asked again, it has all of them: "
    "one of its nodes is old"
)


def is_another(fault: str) -> str:
    before = "the record of localhost:8000/deputize is not the one that was seen at TIME"
    keep = (
        "keep followed/contradiction-HASH, which it serves now, and followed/checkpoint, which it served then"
    )
    return f"{before}: {fault}; {keep}"


def gives_none(why: str, last: str = "") -> str:
    return f"http://SITE/deputize gives no signed record now{last}: {why}"


TOLD = [
    (1, is_another("entry 3 is not what it was")),
    (1, is_another("it was cut off or put back: it had 14 entries, and now has the first 8 of them")),
    (1, is_another("entries 8 to 13 are not what they were: from there on it is another record")),
    (1, is_another(SHOWN_ANOTHER)),
    (
        1,
        is_another(
            "its tiles are not those of its checkpoint of 14 entries: in them, entry 3 is not what it was"
        ),
    ),
    (2, gives_none(NOT_COSIGNED)),
    (2, gives_none(f"checkpoint is answered with 503: “{OLDER}”", " (it last did at TIME, with 14 entries)")),
    (2, OLDER),
    (1, is_another(ONE_NODE)),
]


def add(data: Path, number: int) -> None:
    def append(tx: Tx) -> None:
        for _ in range(number):
            tx.append(Entry("call.declined", {"call_id": "cal_x"}), 1_800_000_000)

    store, _, _ = opened(data, lambda *_, **__: None, new_keys=False, new_record=False)
    asyncio.run(store.transact(append))
    store.close()


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Serve a bank whose record was copied when it had a few entries, and was seen by an auditor when it had more."""
    data, work, folder = (tmp_path_factory.mktemp(name) for name in ("bank", "copies", "auditor"))
    policy = site.policy_file(data, 8000)
    insider = Insider(data, work, Log((work / "log").open("wb")))
    add(data, 5)
    auditor = Auditor(command("log", "key", "--data", str(data), "--policy", str(policy)).line, folder)
    with insider.serving(data) as bank:
        auditor.keep(bank)
    insider.keep_older()
    add(data, 9)
    with insider.serving(data) as bank:
        assert auditor.look(bank, "--checkpoint", str(auditor.kept)).code == 0
        yield Trial(bank, insider, auditor, 3)


@pytest.mark.parametrize(
    ("lie", "code", "told"), [(lie, *told) for lie, told in zip(LIES, TOLD, strict=True)]
)
def test_who_has_data_and_keys_is_found_out_and_it_is_told_in_one_sentence(
    trial: Trial, lie: Lie, code: int, told: str
) -> None:
    found = lie.tried(trial)
    line = re.sub(r"[0-9-]{10}T[0-9:]{8}Z", "TIME", found.line)
    line = re.sub(r"contradiction-[0-9a-f]{16}", "contradiction-HASH", line)
    line = re.sub(r"localhost:[0-9]+/deputize gives", "SITE/deputize gives", line)
    assert (found.code, line) == (lie.code, f"deputize: {told}")
    assert lie.code == code
    assert lie.expected(trial) in found.line


def test_the_story_says_where_one_is_not_found(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    blind = replace(LIES[0], tried=lambda trial: trial.auditor.look(trial.bank))
    monkeypatch.setattr("deputize.demo.audit.LIES", [blind])
    teller = Teller(lambda: None, lambda _: [])
    audit(trial, teller)
    assert teller.failures == [f"2. {blind.done}: told: found by the auditor, exit code 1"]

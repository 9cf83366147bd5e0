"""`deputize log`: verify the record (LOG-4), show what it tells of something, and prove that to others (LOG-5)."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson
import typer

from deputize.cli import key_file, reading
from deputize.cli.backup import COMPLETE
from deputize.cli.data import VAR, Data, keys_of, opened, read
from deputize.cli.follow import follow
from deputize.cli.newest import Newest
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import fail, show, when
from deputize.cli.policy import read_policy
from deputize.cli.trust import Key, Quorum, Trust, Witnesses
from deputize.crypto import note
from deputize.crypto.note import NoteError, Verifier
from deputize.crypto.succession import Succession
from deputize.protocol.call import State
from deputize.protocol.canonical import Json, parse
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.description import Description
from deputize.protocol.entry import commitment
from deputize.protocol.ids import CallId, UserId, is_id
from deputize.protocol.receipt import Opening, Receipt
from deputize.protocol.shown import marked, plain, quoted
from deputize.service import record
from deputize.service.faults import StoreFault
from deputize.service.ports import Reader, Tx
from deputize.service.record import Report, Signed
from deputize.service.trails import told

log = typer.Typer(no_args_is_help=True, help="Verify, read and prove the record of every decision.")

About = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A call (its correlation id, cal_…), a grant (grt_…), an agent or a user (usr_…).",
    ),
]
log.command("list")(reading.list_entries)
log.command()(reading.tail)
log.command()(reading.search)
log.command()(reading.export)
log.command()(follow)
_STATES = frozenset(f"call.{state}" for state in State)


@log.command()
def verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A file with a checkpoint that you kept elsewhere. May be given several times.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Check the whole database too: every page and every index.")
    ] = False,
    data: Data = VAR,
    policy: PolicyPath = POLICY,
) -> None:
    """Recompute every entry's hash and the root, and compare them with the checkpoints.

    It has to go on from the newest one, which the authority keeps outside the database. Whoever can write to the data,
    keys included, can make all of this anew. Only a checkpoint that was kept elsewhere shows that: the authority has
    the newest one at /log/checkpoint.
    """
    keys = _keys(data, policy)
    complete = [data / COMPLETE] if (data / COMPLETE).exists() else []
    given = {str(path): path.read_bytes() for path in [*complete, *(checkpoint or [])]}
    kept = Newest.of(
        read_policy(policy), data, keys_of(data)
    )  # first: what is recorded meanwhile is no fault
    newest = kept.checkpoint

    def compare(tx: Reader) -> Report:
        stored = {f"kept checkpoint {n}": note.encode() for n, note in enumerate(tx.checkpoints(), 1)}
        known = {name: _open(name, text, keys) for name, text in (stored | given).items()}
        for handover in keys.handovers:
            known[f"the hand-over of the record's key after {handover.size}"] = Checkpoint(
                keys.held.name, handover.size, handover.root
            )
        if newest is not None:
            known[kept.name] = newest
        return record.verify(tx, known)

    with opened(data) as store:
        report = store.look(compare)
        if report.fault is not None:
            fail(str(report.fault))
        if everything:
            try:
                asyncio.run(store.check())
            except StoreFault as damaged:
                fail(f"{damaged}: {damaged.__cause__}")
    root = b64encode(report.root).decode()
    typer.echo(f"The record is whole. Entries: {report.size}, {report.signed} of them signed. Root: {root}")
    if newest is None and not given:
        typer.echo(
            f"Whether entries are missing at its end is not known: {kept.none}, and none that was kept elsewhere was "
            "given by --checkpoint.",
            err=True,
        )
    elif newest is not None:
        typer.echo(f"It goes on from the {newest.size} entries of {kept.name.rstrip(',')}.", err=True)


@log.command("show")
def show_trail(about: About, data: Data = VAR) -> None:
    """List the entries about a call, a grant, an agent or a user.

    For a call it first says who did it, who let them, and who saw it.
    """
    entries = read(data, lambda tx: record.trail(tx, about))
    if not entries:
        fail(f"the record tells nothing of {about}")
    if is_id("cal", about):
        for question, answer in read(data, lambda tx: _answers(tx, list(map(told, entries)))):
            typer.echo(f"{question:14}{marked(answer)}")
        typer.echo()
    show(
        ["entry", "time", "kind", "told"],
        ([str(entry.index), *_row(told(entry), about)] for entry in entries),
    )


@log.command()
def receipt(
    about: About,
    arguments: Annotated[
        bool,
        typer.Option(
            help="Include a call's arguments, and what people were shown when they approved it, with the salts that "
            "open the commitments to both."
        ),
    ] = False,
    data: Data = VAR,
    policy: PolicyPath = POLICY,
) -> None:
    """Print a receipt: the entries about a call, a grant, an agent or a user, a signed checkpoint, and the proofs.

    Whoever has the record's key (`deputize log key`) can check it anywhere, with `deputize log check`.
    """
    verifier, signing_key = _verifier(data, policy), keys_of(data).record_key()
    witnesses = read_policy(policy).record.witnesses

    def sign(tx: Tx) -> Signed:
        made = record.signed(tx, verifier.name, lambda body: note.sign(body, verifier.name, signing_key))
        stored = tx.newest_checkpoint()
        if witnesses and stored is not None and stored[0] > entries[-1].index and is_ours(stored[1]):
            return Signed(*stored)  # with its cosignatures
        if not witnesses:
            tx.add_checkpoint(made.size, made.note)
        return made

    def is_ours(text: str) -> bool:
        try:
            return bool(note.signers(text, [verifier])[1])
        except NoteError:
            return False

    with opened(data) as store:
        entries = store.look(lambda tx: record.trail(tx, about))
        if not entries:
            fail(f"the record tells nothing of {about}")
        call = store.look(lambda tx: tx.call(CallId(about))) if arguments else None
        if call is not None and not call.tells:
            fail(f"the arguments of {about} are kept no more: ask without --arguments")
        opening = Opening(call.arguments, call.salt) if call else None
        questions = store.look(lambda tx: record.asked(tx, entries)) if arguments else []
        # Only the signing is in a transaction: the record is long, and calls would wait meanwhile.
        signed = asyncio.run(store.transact(sign))
        indexes = [entry.index for entry in entries]
        made = store.look(lambda tx: record.prove(tx, indexes, signed, opening, questions))
    made = replace(made, handovers=keys_of(data).handovers())
    typer.echo(orjson.dumps(made.to_json(), option=orjson.OPT_INDENT_2).decode())


@log.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="RECEIPT", help="A file that `deputize log receipt` wrote.")
    ],
    key: Key,
    witness: Witnesses = None,
    quorum: Quorum = None,
) -> None:
    """Check a receipt: that its checkpoint is signed, covers each entry, and commits to what the receipt opens."""
    trust = Trust.read(key, witness, quorum)
    try:
        given = Receipt.parse(parse(file.read_bytes()))
    except ValueError:
        fail(f"{file} is not a receipt")
    try:
        keys = Succession.of(trust.verifier, given.handovers)
    except NoteError as error:
        fail(f"{file}: the keys of the record do not follow one another: {error.reason}")
    checkpoint = _open(str(file), given.checkpoint.encode(), keys)
    try:
        trust.opened(given.checkpoint.encode(), keys)
    except NoteError:
        fail(f"{file}: fewer than {trust.quorum} of the witnesses have cosigned its checkpoint")
    if unproven := given.unproven(checkpoint):
        fail(f"{file}: entry {unproven[0]} is not in the record as it stands here")
    if given.opening is not None and not given.opens():
        fail(f"{file}: these are not the arguments that the record commits to")
    if given.unasked():
        fail(f"{file}: the record does not commit to these words")
    for entry in given.entries:
        typer.echo(plain(entry.leaf.decode()))  # whoever made the record may have put anything into it
    for shown in given.questions:
        typer.echo(plain(f"{shown.question.approver} was shown:"))
        for line in shown.question.text.lines:
            typer.echo(f"  {marked(line)}")
    also = ", with these arguments" if given.opening is not None else ""
    typer.echo(
        f"All {len(given.entries)} are in the record of {checkpoint.origin}{also}; it had {checkpoint.size}.",
        err=True,
    )


@log.command("key")
def show_key(data: Data = VAR, policy: PolicyPath = POLICY) -> None:
    """Print the public key of the record, for those who check receipts and checkpoints (c2sp.org/signed-note)."""
    typer.echo(_verifier(data, policy).vkey())


@log.command()
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file of the key.")] = Path("reader.jwk"),
) -> None:
    """Make a key for somebody who may read the entries, and print the line for [record] in the policy.

    Where others are named there already, the key is another one in that list.
    """
    from deputize.crypto import jwk_file

    typer.echo(jwk_file.line("readers", key_file.make(file)))


@log.command("witnesses")
def show_witnesses(policy: PolicyPath = POLICY) -> None:
    """Print who cosigns the checkpoints, and how many of them are enough, as options for those who check (LOG-10)."""
    asked = read_policy(policy).record
    for each in asked.witnesses:
        typer.echo(f"--witness {each.key}")
    if asked.witnesses:
        typer.echo(f"--quorum {asked.quorum}")


_NOBODY = {"page": "the page (no agent named itself)"}


def _answers(tx: Reader, entries: list[dict[str, Json]]) -> list[tuple[str, str]]:
    """Answer what became of a call, who did it, who let them, and who saw it, each with its question before it."""
    moves = [entry for entry in entries if "call_id" in entry]
    # Entries that are no state, such as a refused second redemption, changed nothing.
    arrival, last = moves[0], ([move for move in moves if move["kind"] in _STATES] or moves)[-1]
    found = tx.user(UserId(str(arrival.get("sub"))))
    sub = UserId(str(arrival.get("sub")))
    user = f"{sub} {quoted(found.name)}" if found else f"{sub} (forgotten)"
    because = f", {last['code']}" if "code" in last else ""
    by = arrival.get("client_id") or _NOBODY.get(str(arrival.get("asked_by")), "the user")
    answers = [
        ("what", f"{arrival.get('tool', '?')}: {str(last['kind']).removeprefix('call.')}{because}"),
        ("who did it", f"{by}, for {user}"),
    ]
    for entry in entries:
        if entry["kind"] == "grant.active":
            by = "whoever had it before" if "parent_id" in entry else f"{user}, {_with(entry)}"
            answers += [("who let them", f"{by}, {_time(entry)}: {entry['scope']} for {entry['client_id']}")]
    seen = [entry for entry in moves if entry["kind"] == "call.approved" and "evidence_s256" in entry]
    if not seen:
        return [*answers, ("who saw it", "nobody")]
    call = tx.call(CallId(str(arrival["call_id"])))
    told = call.description if call and call.description else Description("")
    words = "; ".join([told.headline, *(f"{row.title}: {', '.join(row.values)}" for row in told.rows)])
    if call is None or commitment(call.salt, told.kept.encode()) != arrival.get("description_commitment"):
        words = "(the words are kept no more, or not as the record commits to them)"
    return [*answers, ("who saw it", f"{user}, {_with(seen[-1])}, {_time(seen[-1])}: {words}")]


def _with(entry: Mapping[str, Json]) -> str:
    """Tell by which method of approval somebody answered (APPR-9), and whether digits were typed besides (PHONE-3)."""
    how = "with a passkey" if entry["method"] == "webauthn" else f"by the method {entry['method']}"
    return f"{how} and the two digits of the page that asked" if entry.get("digits_typed") else how


def _time(entry: Mapping[str, Json]) -> str:
    return when(int(str(entry["t"])))


def _row(entry: dict[str, Json], about: str) -> list[str]:
    """Write an entry in three cells: its time, its kind, and all else that it tells."""
    rest = {
        name: value
        for name, value in entry.items()
        if name not in ("v", "i", "t", "blind", "kind") and value != about
    }
    return [_time(entry), str(entry["kind"]), " ".join(f"{name}={value}" for name, value in rest.items())]


def _verifier(data: Path, policy: Path) -> Verifier:
    origin = read_policy(policy).site.record_origin
    return Verifier(origin, keys_of(data).record_key().public_key())


def _keys(data: Path, policy: Path) -> Succession:
    return Succession.ours(_verifier(data, policy), keys_of(data).handovers())


def _open(name: str, text: bytes, keys: Succession) -> Checkpoint:
    """Read a signed checkpoint of this record; ends the command if it is none."""
    try:
        return keys.opened(text)
    except NoteError as error:
        match error.reason:
            case "not_a_checkpoint":
                fail(f"{name} is not a checkpoint")
            case "another_record":
                fail(f"{name} is of another record: {text.splitlines()[0].decode()}")
        fail(f"{name} is not signed with this record's key: {error.reason}")

"""LOG-10: cosignatures of witnesses, by what others have signed, and by the example of the specification."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from deputize.crypto.note import Cosigner, NoteError, Verifier, cosign, open_note, sign, signers

# A checkpoint of Sigstore's log, as a witness of the public network has cosigned it.
STAGEMOLE = Cosigner.parse("witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv")
BODY = "log2025-1.rekor.sigstore.dev\n139911860\nEliTHtnx44DhEBH+5qIXBtQsSpc54Avam7mIYEvxnTA=\n"
NOTE = BODY + (
    "\n"
    "\u2014 log2025-1.rekor.sigstore.dev zxGZFcOra4Y7QpuiQen+CmnUvDZbxSXfBOXJzL+HKIeR9aC58QTfao58ABq"
    "khVyBhQDseS+TZdDNpcnZhoRxkh7IbQ0=\n"
    "\u2014 witness.stagemole.eu Z/euoAAAAABqxF18wrJCADsJ1G5Lc2JaRjZqqBwjpNqH24yQse4iJ4rKS6b5MtvHP+I"
    "bKYXwaWuWokdGA+BubLFi+TrwK7xpKr6XBw==\n"
)
# The example of c2sp.org/tlog-cosignature, which tells no keys.
SPECIFIED = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc"
    "yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX"
    "3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
W1 = Cosigner("w.example/1", KEY.public_key())
LOG = Verifier("log.example", KEY.public_key())


def test_what_a_witness_of_the_public_network_has_cosigned_verifies() -> None:
    assert signers(NOTE, [STAGEMOLE, W1]) == (BODY, [STAGEMOLE])


@pytest.mark.parametrize("at", [4, 11, 12, 75])
def test_nothing_else_does(at: int) -> None:
    text, _, last = NOTE.removesuffix("\n").rpartition(" ")
    blob = bytearray(b64decode(last))
    blob[at] ^= 1
    with pytest.raises(NoteError, match="bad_signature"):
        signers(f"{text} {b64encode(blob).decode()}\n", [STAGEMOLE])
    with pytest.raises(NoteError, match="bad_signature"):
        signers(NOTE.replace("139911860", "139911861"), [STAGEMOLE])


def test_ours_has_the_form_of_the_specification() -> None:
    body = SPECIFIED.partition("\n\n")[0] + "\n"
    line = cosign(body, 1679315147, "witness.example.com/w1", KEY)
    (theirs, ours) = (b64decode(each.split()[-1]) for each in (SPECIFIED, line))
    assert len(ours) == len(theirs) == 4 + 8 + 64
    assert ours[4:12] == theirs[4:12] == (1679315147).to_bytes(8)
    KEY.public_key().verify(ours[12:], b"cosignature/v1\ntime 1679315147\n" + body.encode())
    assert signers(SPECIFIED, []) == (body, [])


@given(st.integers(0, 2**63 - 1))
def test_it_says_when(time: int) -> None:
    note = sign("x\n", "log.example", KEY) + cosign("x\n", time, "w.example/1", KEY)
    assert signers(note, [W1]) == ("x\n", [W1])


def test_a_time_beyond_the_format_is_bad() -> None:
    late = 2**63
    signature = KEY.sign(f"cosignature/v1\ntime {late}\nx\n".encode())
    line = f"\u2014 {W1.name} {b64encode(W1.key_id + late.to_bytes(8) + signature).decode()}\n"
    with pytest.raises(NoteError, match="bad_signature"):
        signers(f"x\n\n{line}", [W1])


def test_each_witness_counts_once_and_a_log_is_none() -> None:
    line = cosign("x\n", 1, "w.example/1", KEY)
    note = sign("x\n", "log.example", KEY) + line + cosign("x\n", 2, "w.example/1", KEY)
    assert signers(note, [W1, W1, LOG]) == ("x\n", [LOG, W1])
    assert signers(note, [Cosigner("w.example/2", KEY.public_key())])[1] == []
    assert signers(sign("x\n", "w.example/1", KEY), [W1])[1] == []  # a signature is no cosignature
    with pytest.raises(NoteError, match="no_known_signature"):
        open_note(f"x\n\n{line}", [Verifier("w.example/1", KEY.public_key())])


def test_its_key_is_of_another_kind_than_a_logs() -> None:
    assert Cosigner.parse(W1.vkey()) == W1
    for kind, other in ((Verifier, W1), (Cosigner, Verifier("w.example/1", KEY.public_key()))):
        with pytest.raises(NoteError, match="malformed_key"):
            kind.parse(other.vkey())

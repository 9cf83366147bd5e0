"""Signed notes (LOG-3, c2sp.org/signed-note), with the published keys and notes of Go's sumdb/note."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from deputize.crypto.note import NoteError, Verifier, open_note, sign
from deputize.protocol.checkpoint import Checkpoint

PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_LINE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "— EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"

PETER, ENOCH = Verifier.parse(PETER_VKEY), Verifier.parse(ENOCH_VKEY)
PETER_KEY = Ed25519PrivateKey.from_private_bytes(PETER_SEED)

names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"], exclude_characters="+"), min_size=1)
keys = st.binary(min_size=32, max_size=32).map(Ed25519PrivateKey.from_private_bytes)


def refuses(text: str, *verifiers: Verifier) -> str:
    with pytest.raises(NoteError) as refusal:
        open_note(text, verifiers)
    return refusal.value.reason


class TestVerifierKey:
    @pytest.mark.parametrize("vkey", [PETER_VKEY, ENOCH_VKEY])
    def test_is_written_as_it_was_read(self, vkey: str) -> None:
        assert Verifier.parse(vkey).vkey() == vkey

    def test_is_that_of_the_private_key(self) -> None:
        assert Verifier("PeterNeumann", PETER_KEY.public_key()).vkey() == PETER_VKEY
        assert PETER.key_id.hex() == "c74f20a3"

    @given(names, keys)
    def test_every_key_reads_back(self, name: str, key: Ed25519PrivateKey) -> None:
        vkey = Verifier(name, key.public_key()).vkey()
        assert Verifier.parse(vkey).vkey() == vkey

    def test_any_part_of_one_is_refused(self) -> None:
        for start in range(len(PETER_VKEY)):
            for end in range(start, len(PETER_VKEY) + (start > 0)):
                self.refuse(PETER_VKEY[start:end])

    def test_any_other_character_is_refused(self) -> None:
        for at, character in enumerate(PETER_VKEY):
            self.refuse(PETER_VKEY[:at] + chr(ord(character) + 1) + PETER_VKEY[at + 1 :])

    @pytest.mark.parametrize(
        "vkey",
        [
            pytest.param("", id="nothing"),
            pytest.param("PeterNeumann+cc469956+" + PETER_VKEY[22:] + "BADKEY==", id="too long, id adjusted"),
            pytest.param("PeterNeumann+173116ae+Z" + PETER_VKEY[23:], id="another algorithm, id adjusted"),
            pytest.param(PETER_VKEY.replace("c74f20a3", "C74F20A3"), id="upper-case id"),
            pytest.param(PETER_VKEY + "\n", id="newline at the end"),
            pytest.param(PETER_VKEY.replace("10TW", "10é="), id="not ASCII"),
        ],
    )
    def test_refuses_what_is_none(self, vkey: str) -> None:
        self.refuse(vkey)

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u00a0b", "a\u2028b", "a\0", "\ud800"])
    def test_refuses_names_that_the_format_cannot_hold(self, name: str) -> None:
        for use in (lambda: Verifier(name, PETER_KEY.public_key()), lambda: sign("a\n", name, PETER_KEY)):
            with pytest.raises(NoteError, match=r"malformed_key"):
                use()

    def refuse(self, vkey: str) -> None:
        with pytest.raises(NoteError, match=r"malformed_key"):
            Verifier.parse(vkey)


class TestSign:
    def test_writes_the_published_note(self) -> None:
        assert sign(TEXT, "PeterNeumann", PETER_KEY) == TEXT + "\n" + PETER_LINE

    @pytest.mark.parametrize("body", ["", "abc", "a\n\nb", "a\tb\n", "a\r\n", "\0\n", "\x1f\n", "\ud800\n"])
    def test_refuses_what_is_no_text(self, body: str) -> None:
        with pytest.raises(NoteError, match=r"malformed_note"):
            sign(body, "PeterNeumann", PETER_KEY)

    def test_signs_a_checkpoint(self) -> None:
        """LOG-3."""
        checkpoint = Checkpoint("bank.example/deputize", 3, bytes(32))
        note = sign(checkpoint.body(), checkpoint.origin, PETER_KEY)
        verifier = Verifier("bank.example/deputize", PETER_KEY.public_key())
        assert Checkpoint.parse(open_note(note, [verifier])) == checkpoint

    @given(st.lists(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]))), keys)
    def test_every_text_opens_again(self, lines: list[str], key: Ed25519PrivateKey) -> None:
        body = "\n".join(lines) + "\n"
        assert open_note(sign(body, "name", key), [Verifier("name", key.public_key())]) == body


class TestOpen:
    @pytest.mark.parametrize("verifiers", [[PETER], [ENOCH], [PETER, ENOCH], [ENOCH, PETER, PETER]])
    def test_one_known_signature_is_enough(self, verifiers: list[Verifier]) -> None:
        assert open_note(TEXT + "\n" + PETER_LINE + ENOCH_LINE, verifiers) == TEXT

    def test_the_text_ends_at_the_last_blank_line(self) -> None:
        body = "one\n\n— not a signature\n\n"
        assert open_note(sign(body, "PeterNeumann", PETER_KEY), [PETER]) == body

    def test_a_signature_by_nobody_we_know_is_refused(self) -> None:
        assert refuses(TEXT + "\n" + PETER_LINE + ENOCH_LINE) == "no_known_signature"
        assert refuses(TEXT + "\n" + ENOCH_LINE, PETER) == "no_known_signature"

    def test_the_same_name_or_the_same_id_is_not_the_same_key(self) -> None:
        other = Ed25519PrivateKey.from_private_bytes(bytes(32))
        assert refuses(sign(TEXT, "PeterNeumann", other), PETER) == "no_known_signature"
        assert (
            refuses(TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Peter"), PETER) == "no_known_signature"
        )

    def test_a_changed_text_is_refused(self) -> None:
        assert refuses(TEXT.replace("answer", "Answer") + "\n" + PETER_LINE, PETER) == "bad_signature"

    def test_one_bad_signature_spoils_a_good_one(self) -> None:
        blob = bytearray(b64decode(PETER_LINE.split()[-1]))
        blob[20] ^= 1
        bad = f"— PeterNeumann {b64encode(blob).decode()}\n"
        for lines in (bad, bad + PETER_LINE, PETER_LINE + bad, bad + ENOCH_LINE, ENOCH_LINE + bad):
            assert refuses(TEXT + "\n" + lines, PETER, ENOCH) == "bad_signature"
        assert open_note(TEXT + "\n" + bad + ENOCH_LINE, [ENOCH]) == TEXT

    def test_a_signature_of_another_length_is_refused(self) -> None:
        longer = PETER_LINE[:60] + "ABCD" + PETER_LINE[60:]
        shorter = PETER_LINE[:60] + PETER_LINE[64:]
        for line in (longer, shorter):
            assert refuses(TEXT + "\n" + line, PETER) == "bad_signature"
            assert open_note(TEXT + "\n" + line + ENOCH_LINE, [ENOCH]) == TEXT

    def test_up_to_a_hundred_signatures_are_read(self) -> None:
        assert open_note(TEXT + "\n" + PETER_LINE * 100, [PETER]) == TEXT
        assert refuses(TEXT + "\n" + PETER_LINE * 101, PETER) == "malformed_note"

    @pytest.mark.parametrize(
        "note",
        [
            pytest.param("", id="nothing"),
            pytest.param("\n", id="a newline"),
            pytest.param(TEXT, id="text only"),
            pytest.param(TEXT + "\n", id="no signature"),
            pytest.param(TEXT + PETER_LINE, id="no blank line"),
            pytest.param(TEXT + "\n" + PETER_LINE[:-1], id="no newline at the end"),
            pytest.param(TEXT + "\n" + PETER_LINE + ENOCH_LINE[:-1], id="no newline after the last of two"),
            pytest.param(TEXT + "\n" + PETER_LINE + "\n", id="blank line at the end"),
            pytest.param(sign("\n", "PeterNeumann", PETER_KEY).lstrip(), id="signature only"),
            pytest.param(TEXT + "\n" + PETER_LINE + "Unexpected line.\n", id="another line"),
            pytest.param("\x01" + TEXT + "\n" + PETER_LINE, id="control character"),
            pytest.param("\ud800" + TEXT + "\n" + PETER_LINE, id="lone surrogate"),
            pytest.param((TEXT + "\n" + PETER_LINE).replace("\n", "\r\n"), id="carriage returns"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("—", "-"), id="hyphen for the dash"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("— ", "—"), id="no space after the dash"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("Neumann", " Neumann"), id="space in the name"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "a+b"), id="plus in the name"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("PeterNeumann ", ""), id="no name"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("AM=", "AM"), id="no padding"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("AM=", "AN="), id="trailing bits"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("/Z", "_Z"), id="base64url"),
            pytest.param(TEXT + "\n" + PETER_LINE.replace("/Z", "éZ"), id="not ASCII"),
            pytest.param(TEXT + "\n— PeterNeumann x08gow==\n", id="an id and no signature"),
        ],
    )
    def test_refuses_what_is_no_note(self, note: str) -> None:
        assert refuses(note, PETER) == "malformed_note"

    @given(st.data())
    def test_no_change_opens_as_another_text(self, data: st.DataObject) -> None:
        note = TEXT + "\n" + PETER_LINE
        at = data.draw(st.integers(0, len(note)))
        changed = note[:at] + data.draw(st.text(max_size=2)) + note[at + data.draw(st.integers(0, 2)) :]
        try:
            assert open_note(changed, [PETER]) == TEXT
        except NoteError:
            assert changed != note

"""The code that a phone scans is the address of the question (PHONE-1), as another program reads it."""

import pytest
import zxingcpp

from deputize.web.phone import LONGEST, QrCode, code_of

ADDRESS = "https://bank.example/deputize/ask/cal_AbCdEfGhIjKlMnOpQrStUv"
QUIET = 4  # modules


def scanned(code: QrCode, pixels: int) -> str:
    """Photograph a code: so many pixels for each module, black on white."""
    width = (code.size + 2 * QUIET) * pixels
    picture = bytearray(b"\xff" * width * width)
    for place, module in enumerate(code.modules):
        y, x = divmod(place, code.size)
        if module == "1":
            for line in range((y + QUIET) * pixels, (y + QUIET + 1) * pixels):
                start = line * width + (x + QUIET) * pixels
                picture[start : start + pixels] = bytes(pixels)
    (read,) = zxingcpp.read_barcodes(memoryview(picture).cast("B", (width, width)))
    return str(read.text)


@pytest.mark.parametrize(
    "address",
    [ADDRESS, "http://localhost:8000/deputize/ask/grt_-_--__AbCdEfGhIjKlMnO", f"{ADDRESS}{'x' * 400}"],
)
def test_a_phone_reads_the_address(address: str) -> None:
    code = code_of(address)
    assert code is not None
    assert len(code.modules) == code.size**2
    assert scanned(code, 3) == address


def test_a_usual_one_is_large_on_a_narrow_screen() -> None:
    """More than 5 px for each module, quiet zone included, in the 240 px that a dialog of 320 has for it."""
    code = code_of(ADDRESS)
    assert code is not None
    assert 240 / (code.size + 2 * QUIET) >= 5


def test_the_longest_can_be_scanned_there_and_of_a_longer_one_there_is_none() -> None:
    code = code_of("https://bank.example/".ljust(LONGEST, "x"))
    assert code is not None
    assert 240 / (code.size + 2 * QUIET) >= 2.5
    assert code_of("https://bank.example/".ljust(LONGEST + 1, "x")) is None

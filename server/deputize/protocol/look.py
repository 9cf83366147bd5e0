"""The site's own look: its colour, how round corners are, and its logo, on dialogs and pages alike (LOOK-1)."""

import base64
import binascii
import re
from dataclasses import dataclass

LIGHT = ("#ffffff", "#f4f6f8", "#f3f5f9")
DARK = ("#1b1e25", "#19222c", "#10161d", "#252933")
"""What a colour lies on, in dialogs (`js/src/people/host.css`) and on pages (`account.css`)."""
NEEDED = 4.5
"""WCAG 2.2 §1.4.3, of text. Buttons have their text in the colour of the ground, so it holds for those, too."""
MOST_RADIUS = 32
MOST_LOGO = 16_384

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
_DATA = re.compile(r"data:image/(?:png|jpeg|webp|svg\+xml);base64,([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Look:
    """How dialogs and pages look: colours, on light grounds and on dark, as `#rrggbb`; a dialog's radius in CSS pixels.

    `logo` is a path of the site's origin or a `data:` URL of an image, and empty where there is none. It is only ever
    drawn as an image, in which no script runs and which loads nothing.
    """

    accent: str = "#1d55c4"
    accent_dark: str = "#8db4ff"
    radius: int = 20
    logo: str = ""


def colour(text: str, grounds: tuple[str, ...]) -> str:
    """Read a colour that can be read on all of these grounds; ValueError that names one that can, otherwise."""
    if not _COLOUR.fullmatch(text):
        raise ValueError('write red, green and blue in hexadecimal: "#1d55c4"')
    found = text.lower()
    worst = min(grounds, key=lambda ground: contrast(found, ground))
    if contrast(found, worst) < NEEDED:
        raise ValueError(
            f'people cannot read "{found}" well on {worst}: a contrast of {contrast(found, worst):.1f}, '
            f'of which WCAG 2.2 asks {NEEDED}; "{readable(found, grounds)}" would do'
        )
    return found


def readable(near: str, grounds: tuple[str, ...]) -> str:
    """Return the colour nearest to this one that can be read on all of these grounds: itself, or darker, or lighter."""
    end = 0 if _luminance(grounds[0]) > 0.5 else 255
    for part in range(101):
        mixed = "#" + "".join(f"{round(each + (end - each) * part / 100):02x}" for each in _channels(near))
        if all(contrast(mixed, ground) >= NEEDED for ground in grounds):
            return mixed
    raise AssertionError("black on light and white on dark can be read")


def beside(accent: str) -> str:
    """Return the colour on dark grounds that goes with one on light grounds."""
    plain = Look()
    return plain.accent_dark if accent == plain.accent else readable(accent, DARK)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, "contrast ratio")."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def logo(text: str) -> str:
    """Read a logo: a path of the site's origin, or the image itself; ValueError otherwise."""
    if len(text) > MOST_LOGO:
        raise ValueError(f"every page gets it with the policy: at most {MOST_LOGO} characters, or a path")
    if _PATH.fullmatch(text):
        return text
    if image := _DATA.fullmatch(text):
        try:
            base64.b64decode(image[1], validate=True)
        except binascii.Error as error:
            raise ValueError(f"no image in base64: {error}") from error
        return text
    raise ValueError(
        'write a path of the site, as "/logo.svg", or the image itself: "data:image/svg+xml;base64,…" '
        "(or png, jpeg, webp)"
    )


def _channels(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text[1:]))


def _luminance(text: str) -> float:
    red, green, blue = (
        each / 255 / 12.92 if each / 255 <= 0.04045 else ((each / 255 + 0.055) / 1.055) ** 2.4
        for each in _channels(text)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

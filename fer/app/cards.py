"""Faces as HTML: what the page shows of each. All pictures are data URIs, so that nothing is fetched."""

import base64
import html
import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer.app.emoji import EMOJI, SKIN, draw_emoji
from fer.app.predict import Face
from fer.constants import EMOTION_NAMES, Emotion

FACE_SIDE, EMOJI_SIDE = 192, 128  # pixels; shown at half the size on a screen of high resolution
OVERVIEW = 960  # pixels of the photo's longer side, above the cards
STRENGTH = 0.8  # of the map's colour where it is strongest

STYLE = """
.faces { display: grid; gap: 14px; }
.face, .message { border: 1px solid var(--border-color-primary); border-radius: 16px; padding: 16px;
  background: var(--block-background-fill); color: var(--body-text-color); }
.face { display: grid; grid-template-columns: 128px 1fr; column-gap: 20px; align-items: center; }
.face .crop { width: 128px; height: 128px; border-radius: 12px; display: block; margin: 0; grid-row: 1 / 3; }
.face .named { display: flex; align-items: center; gap: 12px; margin-bottom: 8px; }
.face .emoji { width: 60px; height: 60px; margin: 0; filter: drop-shadow(0 1px 2px rgb(0 0 0 / .3)); }
.face h3 { margin: 0; font-size: 1.45rem; line-height: 1.2; color: inherit; }
.face h3 small { font-weight: 400; opacity: .75; font-size: 1rem; white-space: nowrap; }
.bars { display: grid; grid-template-columns: max-content 1fr 3.8em; gap: 3px 10px; align-items: center;
  font-size: .92rem; }
.bars .track { height: 11px; border-radius: 6px; background: rgb(127 127 127 / .18); overflow: hidden; }
.bars .track i { display: block; height: 100%; }
.bars .value { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bars .first { font-weight: 600; }
.face .number { display: inline-block; min-width: 1.7em; padding: .1em .4em; margin-right: .5em; text-align: center;
  border-radius: .9em; background: #202124; color: #fff; font-size: .8em; }
.overview { width: 100%; border-radius: 16px; display: block; margin: 0 0 14px; }
.message { text-align: center; padding: 36px 20px; }
.message strong { display: block; font-size: 1.1rem; margin-bottom: 4px; }
@media (min-width: 481px) {  /* from four faces on: two columns of small cards */
  .faces:has(.face:nth-child(4)) { grid-template-columns: 1fr 1fr; }
  .faces:has(.face:nth-child(4)) .face { grid-template-columns: 64px 1fr; column-gap: 10px; padding: 12px; }
  .faces:has(.face:nth-child(4)) .crop { width: 64px; height: 64px; grid-row: auto; }
  .faces:has(.face:nth-child(4)) .named { gap: 8px; margin: 0; }
  .faces:has(.face:nth-child(4)) .emoji { width: 32px; height: 32px; }
  .faces:has(.face:nth-child(4)) h3 { font-size: 1rem; }
  .faces:has(.face:nth-child(4)) h3 small { display: block; font-size: .85rem; }
  .faces:has(.face:nth-child(4)) .bars { grid-column: 1 / 3; margin-top: 10px; font-size: .82rem; gap: 1px 8px; }
}
@media (max-width: 480px) {
  .face { grid-template-columns: 96px 1fr; column-gap: 16px; padding: 14px; }
  .face .crop { width: 96px; height: 96px; grid-row: auto; }
  .face .bars { grid-column: 1 / 3; margin-top: 12px; }
}
"""


def cards(faces: Sequence[Face], crops: NDArray[np.uint8], maps: NDArray[np.float32] | None, more: int) -> str:
    """Return a card for each face: crop, emoji, seven bars, and its number where there are several.

    Args:
        crops: what the network saw, (N, 48, 48).
        maps: laid over the crops if given, (N, 48, 48), not negative.
        more: faces that are not shown.
    """
    shown = [
        card(face, crop if maps is None else overlay(crop, maps[place]), place + 1 if len(faces) > 1 else None)
        for place, (face, crop) in enumerate(zip(faces, crops, strict=True))
    ]
    note = f'<p class="more">and {more} smaller face{"s" if more > 1 else ""}</p>' if more else ""
    return f'<div class="faces">{"".join(shown)}{note}</div>'


def card(face: Face, seen: NDArray[np.uint8], number: int | None) -> str:
    first = face.ranked[0]
    badge = f'<span class="number">{number}</span>' if number else ""
    picture = Image.fromarray(seen).resize((FACE_SIDE, FACE_SIDE), Image.Resampling.BICUBIC)
    emoji = data_uri(draw_emoji(first, EMOJI_SIDE))
    return (
        f'<article class="face" data-emotion="{first.name}">'
        f'<img class="crop" alt="the face as the network sees it" src="{data_uri(picture)}">'
        f'<div class="named"><img class="emoji" alt="{EMOJI[first]}" src="{emoji}">'
        f"<h3>{badge}{first.name} <small>{100 * face.probability(first):.1f} %</small></h3></div>"
        f'<div class="bars">{"".join(bar(face, emotion) for emotion in Emotion)}</div></article>'
    )


def bar(face: Face, emotion: Emotion) -> str:
    share = 100 * face.probability(emotion)
    kind = "first" if emotion is face.ranked[0] else "other"
    return (
        f'<span class="{kind}">{EMOTION_NAMES[emotion]}</span>'
        f'<span class="track" role="meter" aria-label="{EMOTION_NAMES[emotion]}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share:.1f}"><i style="width:{share:.1f}%;background:{SKIN[emotion]}"></i></span>'
        f'<span class="value {kind}">{share:.1f} %</span>'
    )


def overview(picture: Image.Image) -> str:
    """Return the photo with its numbered faces, small enough for a page."""
    small = picture.copy()
    small.thumbnail((OVERVIEW, OVERVIEW))
    return f'<img class="overview" alt="the photo with a number at each face" src="{data_uri(small, "JPEG")}">'


def message(title: str, text: str = "") -> str:
    """Return what stands in place of cards: what to do, or why there is no face."""
    return f'<div class="message"><strong>{html.escape(title)}</strong>{html.escape(text)}</div>'


def overlay(crop: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the map in colour over the grey face, RGB (48, 48, 3); full colour from its 99th percentile on."""
    strongest = float(np.quantile(values, 0.99)) or float(values.max()) or 1.0
    strength = np.clip(cv2.GaussianBlur(values, (0, 0), 0.8) / strongest, 0, 1)  # (48, 48)
    colours = cv2.applyColorMap((255 * strength).round().astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = (STRENGTH * strength)[..., None]
    return np.asarray((share * colours + (1 - share) * crop[..., None]).round(), np.uint8)


def data_uri(picture: Image.Image, kind: str = "PNG") -> str:
    file = io.BytesIO()
    picture.save(file, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"

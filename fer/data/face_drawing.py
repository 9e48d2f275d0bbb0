"""Draw a face that shows given action units (AUs): the images of the synthetic dataset.

The action units are those of Ekman & Friesen, "Facial Action Coding System", 1978. What each one moves, folds
or bares is FACS's; how far it does so in a drawing was chosen here by looking at the drawings.
Coordinates are those of fer/data/canvas.py.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from fer.constants import IMAGE_SIZE
from fer.data.canvas import (
    CANVAS,
    CIRCLE,
    SIDES,
    SUPERSAMPLING,
    Canvas,
    Point,
    Points,
    T,
    between,
    curve,
    ellipse,
    lowered,
    on,
    sample_pose,
)


@dataclass(frozen=True)
class ActionUnits:
    """The intensity of each action unit, 0 (absent) to 1 (FACS intensity E)."""

    au1: float = 0.0  # inner brow raiser
    au2: float = 0.0  # outer brow raiser
    au4: float = 0.0  # brow lowerer
    au5: float = 0.0  # upper lid raiser
    au6: float = 0.0  # cheek raiser
    au7: float = 0.0  # lid tightener
    au9: float = 0.0  # nose wrinkler
    au10: float = 0.0  # upper lip raiser
    au12: float = 0.0  # lip corner puller
    au15: float = 0.0  # lip corner depressor
    au16: float = 0.0  # lower lip depressor
    au20: float = 0.0  # lip stretcher
    au23: float = 0.0  # lip tightener
    au25: float = 0.0  # lips part
    au26: float = 0.0  # jaw drop


@dataclass(frozen=True)
class Person:
    """Who shows the expression: proportions as factors of the average face, greys in 0..255."""

    width: float
    jaw: float  # 1 is as wide as the cheeks
    skin: float  # grey
    hair: float  # grey
    hair_length: float  # from 0.55 it falls beside the face
    hairline: float  # y of its middle
    eye_size: float
    eye_spacing: float
    brow_weight: float
    brow_shift: float  # y, added
    nose: float
    mouth_width: float
    lips: float
    furrows: float  # how deep the skin folds, which grows with age
    beard: float  # 0 is none
    glasses: bool


def sample_person(rng: np.random.Generator) -> Person:
    """Anyone: nothing here depends on the expression."""
    skin = rng.triangular(85, 185, 220)
    dark_hair = rng.uniform(15, min(skin * 0.6, 90))
    return Person(
        width=rng.uniform(0.92, 1.08),
        jaw=rng.uniform(0.75, 1.0),
        skin=skin,
        hair=dark_hair if rng.random() < 0.8 else rng.uniform(120, 220),
        hair_length=rng.uniform(0.0, 1.0),
        hairline=rng.uniform(-0.86, -0.66),
        eye_size=rng.uniform(0.88, 1.15),
        eye_spacing=rng.uniform(0.93, 1.07),
        brow_weight=rng.uniform(0.7, 1.4),
        brow_shift=rng.normal(0.0, 0.022),
        nose=rng.uniform(0.85, 1.2),
        mouth_width=rng.uniform(0.9, 1.12),
        lips=rng.uniform(0.7, 1.35),
        furrows=rng.uniform(0.45, 1.0),
        beard=rng.uniform(0.3, 1.0) if rng.random() < 0.14 else 0.0,
        glasses=bool(rng.random() < 0.12),
    )


def _draw_head(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    half = 0.74 * person.width
    if person.hair_length > 0.55:
        canvas.fill(ellipse(0.0, 0.05, half + 0.24, 1.15 * person.hair_length + 0.1), person.hair * 0.85)
    canvas.fill(ellipse(0.0, 1.35, 0.45, 0.75), person.skin * 0.72)  # neck
    for side in SIDES:
        canvas.fill(ellipse(side * (half + 0.01), -0.05, 0.09, 0.2), person.skin * 0.85)  # ear
    x, y = CIRCLE[:, 0], CIRCLE[:, 1]
    squared = np.sign(x) * np.abs(x) ** 0.85  # an ellipse has neither cheeks nor a jaw
    taper = 1.0 - 0.20 * (1.6 - person.jaw) * np.maximum(y, 0.0) ** 2
    height = np.where(y > 0, 0.95 + 0.13 * au.au26, 1.05)
    canvas.fill(np.stack([half * squared * taper, height * y], axis=1), person.skin)


def _draw_relief(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    """The soft light and shadow on temples, sockets, cheeks, nose, chin and forehead."""
    tone = person.skin * 0.16
    temple = np.array([[0.80, -0.9], [0.60, -0.5], [0.60, 0.3], [0.40, 0.85], [0.80, 0.9]])
    cheek = (0.40, 0.16 - 0.06 * au.au6, 0.14, 0.12 + 0.02 * au.au6)
    for side in SIDES:
        canvas.lighten(on(side, temple), -1.4 * tone)
        canvas.lighten(on(side, ellipse(0.31, -0.22, 0.20, 0.13)), -(1.0 + 0.7 * au.au4) * tone)
        canvas.lighten(on(side, ellipse(*cheek)), (0.7 + 1.4 * au.au6) * tone)
        canvas.lighten(on(side, ellipse(0.11, 0.08, 0.05, 0.20)), -tone)
    canvas.lighten(ellipse(0.0, 0.02, 0.055, 0.26), 1.2 * tone)
    canvas.lighten(ellipse(0.0, 0.78 + 0.14 * au.au26, 0.16, 0.08), 0.8 * tone)
    canvas.lighten(ellipse(0.0, -0.62, 0.32, 0.12), 0.8 * tone)
    canvas.blend(6.0)


def _draw_beard(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    if person.beard == 0.0:
        return
    right_jaw = np.array([[0.0, 0.98], [0.3, 0.9], [0.56, 0.6], [0.66, 0.2]])
    right_cheek = np.array([[0.0, 0.74], [0.3, 0.74], [0.45, 0.48], [0.56, 0.2]])
    beard = between(right_jaw, right_cheek)
    over_lip = curve((-0.26, 0.45), (0.0, 0.34), (0.26, 0.45))
    moustache = between(over_lip, lowered(over_lip, 0.055))
    dark = -person.beard * 0.45 * max(person.skin - person.hair, 40.0)
    for side in SIDES:
        canvas.lighten(on(side, lowered(beard, 0.13 * au.au26)), dark)
    canvas.lighten(moustache, dark)
    canvas.blend(3.5)


def _furrow(canvas: Canvas, person: Person, line: Points, strength: float, width: float = 0.025) -> None:
    if strength > 0.08:  # the faintest folds do not show
        outline = between(line - width / 2, line + width)
        canvas.lighten(outline, -min(strength, 1.3) * person.furrows * 0.6 * person.skin)


def _draw_upper_furrows(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    """The forehead's lines (AU1, AU2), the glabella's (AU4), the nose root's (AU9) and crow's feet (AU6)."""
    reach = 0.16 + 0.26 * au.au2
    for y in (-0.60, -0.68, -0.75):
        forehead = curve((-reach, y), (0.0, y + 0.03), (reach, y))
        _furrow(canvas, person, forehead, au.au1 * (0.3 + 0.5 * au.au2))
    for y in (-0.10, -0.16, -0.22):
        _furrow(canvas, person, curve((-0.07, y), (0.0, y - 0.025), (0.07, y)), 1.2 * au.au9)
    for side in SIDES:
        glabella = on(side, curve((0.045, -0.50), (0.06, -0.41), (0.04, -0.32)))
        _furrow(canvas, person, glabella, au.au4 * (1 - 0.4 * au.au1))
        _furrow(canvas, person, on(side, curve((0.03, -0.16), (0.09, -0.12), (0.13, -0.02))), au.au9, 0.03)
        for y, fall in ((-0.24, -0.04), (-0.17, 0.0), (-0.10, 0.04)):
            crows_foot = on(side, curve((0.53, y), (0.59, y + fall), (0.64, y + 2 * fall)))
            _furrow(canvas, person, crows_foot, 0.6 * au.au6, 0.02)


def _draw_lower_furrows(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    """Below the eye (AU6, AU7), the nasolabial furrow (AU9, AU10, AU12) and below the lip corner (AU15)."""
    out, rise = 0.08 * au.au12, -0.05 * au.au9
    nasolabial = curve((0.15, 0.16 + rise), (0.30 + out, 0.26 + rise), (0.36 + out, 0.46 - 0.4 * out))
    for side in SIDES:
        pouch = on(side, curve((0.17, -0.06), (0.32, 0.01), (0.47, -0.07)))
        _furrow(canvas, person, pouch, au.au6 + 0.5 * au.au7, 0.02)
        depth = 0.15 + 0.8 * au.au12 + 0.7 * au.au9 + 0.6 * au.au10
        _furrow(canvas, person, on(side, nasolabial), depth, 0.03)
        _furrow(canvas, person, on(side, curve((0.30, 0.60), (0.34, 0.68), (0.34, 0.76))), au.au15)


def _draw_nose(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    y = 0.25 - 0.05 * au.au9 - 0.02 * au.au10
    half = 0.125 * person.nose * (1 + 0.15 * au.au9 + 0.1 * au.au12)
    wing = curve((half - 0.01, y - 0.11), (half + 0.025, y - 0.05), (half - 0.02, y))
    for side in SIDES:
        canvas.stroke(on(side, wing), person.skin * 0.62, 0.02)
        canvas.fill(ellipse(side * half * 0.52, y, 0.04, 0.018), person.skin * 0.35)
    tip = curve((-half + 0.02, y + 0.015), (0.0, y + 0.04), (half - 0.02, y + 0.015))
    canvas.stroke(tip, person.skin * 0.68, 0.018)


def _lids(person: Person, au: ActionUnits) -> tuple[Points, Points]:
    """The edges of the right eye's upper and lower lid."""
    x, y = 0.31 * person.eye_spacing, -0.19
    half = 0.145 * person.eye_size
    raised = (1 + 0.75 * au.au5) * (1 - 0.15 * au.au4)
    narrowed = (1 - 0.45 * au.au7) * (1 - 0.30 * au.au6) * (1 - 0.35 * au.au9)
    upper = y - max(0.085 * person.eye_size * raised * narrowed, 0.012)
    pushed_up = (1 - 0.7 * au.au7) * (1 - 0.75 * au.au6) * (1 - 0.5 * au.au9)
    lower = y + 0.055 * person.eye_size * pushed_up
    # The brow's inner end pulled up without its outer end (AU1 without AU2, sadness) slants the upper lid.
    slant = 0.035 * max(au.au1 - au.au2, 0.0)
    inner, outer = (x - half, y + 0.015 - 0.5 * slant), (x + half, y - 0.005 + slant)
    return curve(inner, (x - 0.4 * slant, upper), outer), curve(inner, (x, lower), outer)


def _draw_eye(canvas: Canvas, person: Person, au: ActionUnits, side: float, gaze: Point) -> None:
    top, bottom = (on(side, lid) for lid in _lids(person, au))
    x, y = side * 0.31 * person.eye_spacing + gaze[0], -0.205 + gaze[1]
    radius = 0.075 * person.eye_size
    sclera = (ellipse(x, y, 0.3, 0.3), 150 + person.skin * 0.4)
    iris = (ellipse(x, y, radius, radius), 30 + person.hair * 0.35)
    pupil = (ellipse(x, y, radius * 0.5, radius * 0.5), 8.0)
    highlight = (ellipse(x - 0.028, y - 0.028, 0.02, 0.02), 250.0)
    canvas.fill_inside(between(top, bottom), [sclera, iris, pupil, highlight])
    canvas.stroke(top, person.skin * 0.25, 0.028)
    canvas.stroke(bottom, person.skin * 0.6, 0.014)
    crease = 0.05 + 0.02 * au.au5 - 0.02 * au.au4
    canvas.stroke(lowered(top[1:-1], -crease), person.skin * 0.66, 0.014)


def _draw_brow(canvas: Canvas, person: Person, au: ActionUnits, side: float) -> None:
    y = -0.40 + person.brow_shift
    # With AU1, AU4 draws the brows together but hardly lowers their inner ends (FACS's combination 1+4).
    lowering = 0.13 * au.au4 * (1 - 0.75 * au.au1)
    slant = 0.05 * max(au.au1 - au.au2, 0.0)
    inner = (0.135 - 0.055 * au.au4, y - 0.15 * au.au1 + lowering + 0.05 * au.au9)
    outer = (0.52, y - 0.13 * au.au2 + 0.02 * au.au4 + slant)
    arch = y - 0.075 - 0.13 * au.au2 - 0.02 * au.au1 + 0.03 * au.au9 + 0.07 * au.au4 * (1 - 0.5 * au.au1)
    line = curve(inner, (inner[0] / 2 + 0.23, (inner[1] + outer[1]) / 4 + arch / 2), outer)
    half = 0.034 * person.brow_weight * (1 - 0.65 * T) * (0.0, 1.0)  # (11, 2): thins towards the temple
    canvas.fill(on(side, between(line - half, line + half)), min(person.hair, person.skin * 0.5))


def _lip_edges(person: Person, au: ActionUnits) -> tuple[Points, Points]:
    """The edges of the mouth's opening: where the upper and the lower lip end."""
    y = 0.53 - 0.02 * au.au9
    rounded = 0.30 * au.au26 * (1 - au.au20) * (1 - au.au12)
    stretched = 0.34 * au.au12 + 0.36 * au.au20 + 0.05 * au.au15
    half = 0.255 * person.mouth_width * (1 + stretched - rounded - 0.14 * au.au23)
    corner = y - 0.15 * au.au12 + 0.12 * au.au15 + 0.03 * au.au20 + 0.12 * au.au26
    parted = au.au25 * (1 - 0.4 * au.au23)
    raised = 0.04 * parted + 0.075 * au.au10 + 0.035 * au.au9 + 0.04 * au.au26
    upper = y - raised + 0.02 * au.au12 * (1 - parted)
    lower = y + 0.10 * parted * (0.4 + au.au12) + 0.07 * au.au16 + 0.27 * au.au26 + 0.02 * au.au12
    left, right = (-half, corner), (half, corner)
    return curve(left, (0.0, upper), right), curve(left, (0.0, max(lower, upper + 0.012)), right)


def _draw_mouth(canvas: Canvas, person: Person, au: ActionUnits) -> None:
    top, bottom = _lip_edges(person, au)
    fullness = 4 * T * (1 - T) * person.lips * (1 - 0.75 * au.au23) * (1 - 0.3 * au.au12)  # (11, 1)
    canvas.fill(between(top - fullness * (0.0, 0.055), top), person.skin * 0.62)
    canvas.fill(between(bottom, bottom + fullness * (0.0, 0.075)), person.skin * 0.70)
    _draw_mouth_inside(canvas, person, au, top, bottom)
    canvas.stroke(top, person.skin * 0.28, 0.02)
    for side, corner in ((-1.0, top[0]), (1.0, top[-1])):
        dimple = np.array([[-0.015 * side, 0.0], [0.02 * side, 0.04 * au.au15 - 0.03 * au.au12]])
        canvas.stroke(corner + dimple, person.skin * 0.4, 0.028)
    y = float(bottom[5, 1])
    chin = curve((-0.13, y + 0.11), (0.0, y + 0.13), (0.13, y + 0.11))
    canvas.stroke(chin, person.skin * 0.78, 0.02 + 0.02 * au.au23)


def _draw_mouth_inside(canvas: Canvas, person: Person, au: ActionUnits, top: Points, bottom: Points) -> None:
    opening = float(bottom[5, 1] - top[5, 1])
    teeth = min(opening * 0.75, 0.095) * (1 - 0.75 * au.au26)
    parts = [(between(top, bottom), 22.0), (between(top, lowered(top, teeth)), 165 + 0.32 * person.skin)]
    if au.au16 > 0.25 or au.au20 > 0.5:  # the lower teeth show
        parts.append((between(lowered(bottom, -teeth / 2), bottom), 120 + 0.3 * person.skin))
    if au.au26 > 0.4:  # the tongue shows
        parts.append((ellipse(0.0, float(bottom[5, 1]), 0.14, opening * 0.3), person.skin * 0.42))
    canvas.fill_inside(between(top, bottom), parts)


def _draw_hair(canvas: Canvas, person: Person, parting: float) -> None:
    if person.hairline > -0.69 and person.hair_length < 0.2:
        return  # bald
    half, y = 0.76 * person.width, person.hairline
    crown = ellipse(0.0, -0.30, half + 0.05, 0.88)[16:]  # its upper half
    temple = half - 0.07
    left = curve((-temple, -0.30), ((parting - temple) / 2 - 0.08, y + 0.06), (parting, y))
    right = curve((parting, y), ((parting + temple) / 2 + 0.08, y + 0.06), (temple, -0.30))
    canvas.fill(np.concatenate([crown, right[::-1], left[::-1]]), person.hair)
    for x in (-0.4, -0.15, 0.1, 0.35):
        lock = curve((parting + 0.6 * x, -1.1), (parting + x, -0.98), (parting + 1.5 * x, -0.82))
        canvas.stroke(lock, person.hair * 1.3 + 8, 0.02)


def _draw_glasses(canvas: Canvas, person: Person) -> None:
    if not person.glasses:
        return
    for side in SIDES:
        rim = ellipse(side * 0.31, -0.17, 0.22, 0.17)
        canvas.stroke(np.take(rim, range(len(rim) + 2), axis=0, mode="wrap"), 30, 0.03)
        canvas.stroke(np.array([[side * 0.53, -0.2], [side * 0.75, -0.22]]), 30, 0.03)
    canvas.stroke(curve((-0.09, -0.18), (0.0, -0.21), (0.09, -0.18)), 30, 0.03)


def _draw_background(rng: np.random.Generator) -> Image.Image:
    coarse = rng.normal(rng.uniform(30, 220), rng.uniform(3, 30), (4, 4))
    cells = np.clip(np.round(coarse), 0, 255).astype(np.uint8)
    return Image.fromarray(cells).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)


def _photograph(picture: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Focus, light from one side, exposure and sensor noise: the canvas to uint8 (48, 48)."""
    small = picture.reduce(SUPERSAMPLING).filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.7)))
    focused = np.asarray(small, dtype=np.float64)
    ramp = np.linspace(-1.0, 1.0, IMAGE_SIZE)
    across, down = rng.normal(0.0, 0.16, 2)
    lit = focused * (1.0 + across * ramp[None, :] + down * ramp[:, None])
    exposed = 128.0 + rng.uniform(0.65, 1.15) * (lit - 128.0) + rng.normal(0.0, 12.0)
    noisy = exposed + rng.normal(0.0, rng.uniform(1.0, 7.0), lit.shape)
    pixels: npt.NDArray[np.uint8] = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
    return pixels


def draw_expression(au: ActionUnits, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A random person, in a random pose and light, who shows the action units: uint8 (48, 48)."""
    person, pose = sample_person(rng), sample_pose(rng)
    gaze, parting = (rng.normal(0.0, 0.02), rng.normal(0.0, 0.008)), rng.uniform(-0.3, 0.3)
    canvas = Canvas(pose, _draw_background(rng))
    _draw_head(canvas, person, au)
    _draw_relief(canvas, person, au)
    _draw_beard(canvas, person, au)
    _draw_upper_furrows(canvas, person, au)
    _draw_lower_furrows(canvas, person, au)
    canvas.blend(1.6)
    _draw_nose(canvas, person, au)
    for side in SIDES:
        _draw_eye(canvas, person, au, side, gaze)
        _draw_brow(canvas, person, au, side)
    _draw_mouth(canvas, person, au)
    _draw_hair(canvas, person, parting)
    _draw_glasses(canvas, person)
    return _photograph(canvas.picture, rng)

"""The web page: a photo or the camera in, each face with its emoji and seven bars out.

It needs nothing from outside this machine: system fonts, pictures inside the page. fer/app/surroundings.py prepares
the environment that gradio reads.
"""

import base64
import binascii
import io
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from numpy.typing import NDArray
from PIL import Image

from fer.app.annotate import numbered
from fer.app.cards import STYLE, cards, message, overview
from fer.app.examples import draw_examples
from fer.app.faces import Detector
from fer.app.photos import PhotoError, decode
from fer.app.predict import Face, crops_by
from fer.app.recogniser import Recogniser
from fer.errors import UserError

TITLE = "What does this face show?"
NOTHING = "Nothing here yet"
SHOWN = 12  # faces; the largest ones
LARGEST_BYTES, LARGEST_PIXELS = 20 << 20, 50_000_000  # of an upload
KEPT = 600  # seconds that an upload stays on disk
CAMERA_EVERY = 0.5  # seconds between two looks
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]
NOTE = (
    "The photo stays on the computer that runs this page. The network has learned how people label faces in "
    "FER2013: it names an expression, and not what somebody feels."
)
CSS = (
    STYLE
    + """
.gradio-container { max-width: 1080px !important; margin: 0 auto !important; }
.main { max-width: none !important; }  /* gradio's own steps leave a tablet little room */
#title h1 { margin: 8px 0 2px; font-size: 1.9rem; } #title p { opacity: .8; margin: 0; }
#note { opacity: .7; font-size: .85rem; }
#saliency input { border-color: var(--body-text-color-subdued); }
.icon-button-wrapper:not(:has(*)) { display: none; }  /* gradio draws an empty one as a speck */
#answer, #answer .html-container { padding: 0 !important; }
#examples-title { margin-top: 4px; }
#examples .grid-wrap { height: auto !important; min-height: 0; max-height: none; overflow: visible; padding: 0; }
#examples .grid-container { grid-template-columns: repeat(7, minmax(0, 1fr)) !important; gap: 10px; margin: 0;
  height: auto; grid-auto-rows: auto !important; grid-template-rows: none !important; }
#examples .thumbnail-lg { height: auto !important; width: 100% !important; aspect-ratio: 1; }
#examples .caption-label { font-size: .8rem; padding: 1px 6px; max-width: 100%; }
@media (max-width: 640px) {
  #title h1 { font-size: 1.3rem; }
  #examples .caption-label { font-size: .68rem; padding: 0 4px; inset: auto 2px 2px auto; }
  #examples .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important; }
}
"""
)


def photo_input(**options: Any) -> gr.Image:
    """An image component that gives the file's bytes: what they hold is for fer.app.photos to judge, not for gradio.

    No subclass: gradio writes a .pyi file beside the module of each one.
    """
    image = gr.Image(show_label=False, height=340, buttons=[], **options)
    image.preprocess = content_of  # type: ignore[method-assign, assignment]
    return image


def content_of(payload: ImageData | None) -> bytes | None:
    if payload is None:
        return None
    if payload.url and payload.url.startswith("data:"):  # the camera's pictures
        return from_data_uri(payload.url)
    return uploaded(Path(payload.path)) if payload.path else None


def uploaded(path: Path) -> bytes:
    """Return the bytes of an upload, one more than are allowed at most.

    The path comes from whoever asks: any other file is refused in the words for an upload that is gone.
    """
    try:
        kept = path.resolve()
        if kept.is_relative_to(Path(get_upload_folder()).resolve()) and kept.is_file():
            with kept.open("rb") as file:
                return file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError):  # a name that is too long, or holds a null
        pass
    raise gr.Error("This photo is no longer kept: choose it again", print_exception=False)


def from_data_uri(uri: str) -> bytes:
    """Empty for what is none, which is then refused as an empty file."""
    try:
        return base64.b64decode(uri.partition(",")[2], validate=True)
    except binascii.Error:
        return b""


@dataclass(frozen=True)
class Looker:
    """Turns the bytes of a photo into the HTML that the page shows."""

    recogniser: Recogniser
    detector: Detector

    def __call__(self, content: bytes | None, with_saliency: bool) -> str:
        if content is None:
            return message(NOTHING, "Choose a photo, paste one, or click a synthetic face.")
        try:
            if len(content) > LARGEST_BYTES:
                raise PhotoError(f"refused: more than {LARGEST_BYTES >> 20} MB")
            pixels = decode(io.BytesIO(content), LARGEST_PIXELS)
        except PhotoError as error:
            return message("This file cannot be shown", str(error))
        found = crops_by(self.detector)(pixels)
        if not found.boxes:
            return message("No face found", "It helps when the face looks at the camera and is not too small.")
        crops = found.faces[:SHOWN]  # (N, 48, 48)
        probabilities = self.recogniser.probabilities(crops)
        faces = [Face(box, row) for box, row in zip(found.boxes, probabilities, strict=False)]
        maps = saliency_maps(self.recogniser, crops, probabilities.argmax(axis=1)) if with_saliency else None
        shown = cards(faces, crops, maps, more=len(found.boxes) - len(faces))
        return overview(numbered(pixels, faces)) + shown if len(faces) > 1 else shown


def saliency_maps(recogniser: Recogniser, crops: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the mean of the networks' maps, each scaled to a sum of one: (N, 48, 48)."""
    from fer.explain.saliency import saliency  # noqa: PLC0415 - captum is slow to import

    images = recogniser.images(crops)
    targets = torch.from_numpy(classes).to(recogniser.device)
    maps = torch.stack([saliency(classifier, images, targets) for classifier in recogniser.classifiers])
    scaled = maps / maps.sum(dim=(2, 3), keepdim=True).clamp_min(1e-12)  # (M, N, 48, 48)
    return scaled.mean(0).cpu().numpy()


def build_page(recogniser: Recogniser, detector: Detector) -> gr.Blocks:
    """Return the page, not yet served."""
    look = Looker(recogniser, detector)
    examples = draw_examples(recogniser, detector)
    page = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(KEPT, KEPT))
    with page:
        gr.Markdown(f"# {TITLE}\nA photo in, an emotion out, for every face.", elem_id="title")
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                with gr.Tab("Photo") as photo_tab:
                    photo = photo_input(
                        sources=["upload", "clipboard"], type="filepath", elem_id="photo",
                        placeholder="Drop a photo here, or tap to choose one",
                    )  # fmt: skip
                with gr.Tab("Camera") as camera_tab:
                    camera = photo_input(sources=["webcam"], streaming=True, elem_id="camera")
                switch = gr.Checkbox(label="Show where the network looked", elem_id="saliency")
            with gr.Column(scale=6, min_width=320):
                answer = gr.HTML(look(None, False), elem_id="answer", padding=False)
        gr.Markdown("Or try a synthetic face:", elem_id="examples-title")
        gallery = gr.Gallery(
            examples, label="Or try a synthetic face", show_label=False, columns=7, object_fit="cover", preview=False,
            allow_preview=False, interactive=False, buttons=[], elem_id="examples", container=False,
        )  # fmt: skip
        gr.Markdown(NOTE, elem_id="note")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        gr.on([photo.change, switch.change, photo_tab.select], look, [photo, switch], answer, **quiet)
        camera_tab.select(lambda: message(NOTHING, "Start the camera."), None, answer, **quiet)  # the photo's goes
        camera.stream(look, [camera, switch], answer, stream_every=CAMERA_EVERY, time_limit=None, **quiet)

        def chosen(event: gr.SelectData) -> Image.Image:
            """Return the face that was clicked: of what the event says, which anybody may write, the place alone."""
            place: int = event.index
            return examples[place][0]

        gallery.select(chosen, None, photo, **quiet)
    return page


def serve(page: gr.Blocks, *, host: str, port: int | None) -> str:
    """Start the server in threads of its own and return its address. Raise UserError where it does not start."""
    try:
        # Gradio would try a hundred ports of a host that is not this machine, five seconds each.
        socket.create_server((host, port or 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
        page.launch(
            server_name=host, server_port=port, quiet=True, prevent_thread_lock=True, share=False, inbrowser=False,
            max_file_size=LARGEST_BYTES, theme=gr.themes.Soft(font=FONTS, font_mono=["monospace"]), css=CSS,
            footer_links=[], show_error=True, ssr_mode=False, pwa=False,
        )  # fmt: skip
    except Exception as error:  # gradio raises whatever its libraries do
        reason = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"--host {host} --port {port or 7860}: the page does not start: {reason}") from None
    return str(page.local_url)

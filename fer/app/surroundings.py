"""What gradio takes from its environment, so that it works on a shared machine and behind a proxy."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")


@contextmanager
def prepared_for_gradio() -> Iterator[str]:
    """Give gradio a temporary folder that only this user can read, and remove it at the end; analytics are off.

    gradio's own place is /tmp/gradio, which belongs to whoever used it first. Proxies are left out: gradio asks its own
    server whether it is up, which no proxy can, and nobody else for anything. Must be entered before gradio is
    imported.
    """
    for name in PROXIES:
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # else the folder would stay
    with tempfile.TemporaryDirectory(prefix="fer-page-", ignore_cleanup_errors=True) as folder:  # mode 0700
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield folder

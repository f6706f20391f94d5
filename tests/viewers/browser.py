"""Chromium without a window, driven by its own protocol through a pipe: no driver, no port.

Pictures are made by a renderer in software, so that no graphics card decides what is seen.
Source: https://chromedevtools.github.io/devtools-protocol (Runtime, Page, Input, Log).
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from tests.peers import require_program

Picture = NDArray[np.uint8]
ANSWER_S = 120
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # gates run as root in containers
    "--remote-debugging-pipe",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # Only what a page itself draws with WebGL needs that renderer; the rest is composed without it in a quarter of the time.
    "--disable-gpu-compositing",
    "--disable-accelerated-2d-canvas",
    "--force-prefers-reduced-motion",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nothing leaves this machine
)


class Browser:
    """One page of `size` (width, height) pixels; its profile lies in `folder`."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._folder = folder
        self._size = size
        self._number = 0
        self._buffer = b""
        self._session = ""
        self.said: list[str] = []

    def __enter__(self) -> Self:
        program = require_program("chromium")
        self._folder.mkdir(parents=True, exist_ok=True)
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()
        self._in, self._out = here_in, here_out
        flags = [*FLAGS, f"--window-size={self._size[0]},{self._size[1]}", f"--user-data-dir={self._folder / 'profile'}"]
        # The protocol wants its pipe at the descriptors 3 and 4.
        start = ["bash", "-c", f'exec "$@" 3<&{there_in} 4>&{there_out}', "start", program, *flags, "about:blank"]
        with (self._folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(start, stdout=log, stderr=log, pass_fds=(there_in, there_out))
        os.close(there_in)
        os.close(there_out)
        self._attach()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        self._process.wait()

    def open(self, address: str) -> None:
        """Go to a page; what it wrote to the console before is forgotten."""
        self.said.clear()
        self._call("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, awaited when it is a promise."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """Ask until the answer is true, and give it."""
        deadline = time.monotonic() + seconds
        while not (value := self.ask(expression)):
            assert time.monotonic() < deadline, (expression, self.said[-20:])
            time.sleep(0.1)
        return value

    def picture(self) -> Picture:
        """What is seen now, (row, column, red green blue)."""
        png = b64decode(self._call("Page.captureScreenshot", format="png", optimizeForSpeed=True)["data"])
        pixels = matplotlib.image.imread(BytesIO(png), format="png")[:, :, :3]
        return np.round(pixels * 255).astype(np.uint8)

    def double_click(self, x: float, y: float) -> None:
        """As with a mouse."""
        for clicks in (1, 2):
            for kind in ("mousePressed", "mouseReleased"):
                self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=clicks)

    def _attach(self) -> None:
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        width, height = self._size
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._hear(answer)

    def _hear(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(a.get("value", a.get("description"))) for a in event["params"]["args"]))
        elif event.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(event["params"]["exceptionDetails"].get("exception", {}).get("description")))
        elif event.get("method") == "Log.entryAdded":
            self.said.append(str(event["params"]["entry"].get("text")) + " " + str(event["params"]["entry"].get("url")))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], ANSWER_S)
            part = os.read(self._in, 1 << 20) if ready else b""
            assert part, (self._folder / "chromium.log").read_text(errors="replace")[-3000:]
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

"""The command line: each command imports what it alone needs, so that `--help` and `analyse` start without engine."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console

from service import __version__

if TYPE_CHECKING:
    from service.settings import Settings

Config = Annotated[Path | None, Parameter(name=["--config", "-c"], help="TOML file; without it the defaults hold.")]

BAD_START = 2  # exit status when configuration or surroundings do not let us start
FAILED = 1

app = App(
    name="cryomargin",
    version=__version__,
    help="The ablation margin on the 24-hour MRI after liver cryoablation, as a DICOM Structured Report. For research use.",
)
console = Console()
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """The console script: a fault that the operator can put right is one line and exit status 2."""
    from service.errors import CryomarginError
    from service.settings import BadConfig

    try:
        app()
    except (BadConfig, CryomarginError) as fault:
        errors.print(f"cryomargin: {fault}", markup=False)
        sys.exit(BAD_START)


@app.command
def run(*, config: Config = None) -> None:
    """Run the whole service: listener, worker and status page."""
    _serve(config, listener=True, worker=True, web=True)


@app.command
def listen(*, config: Config = None) -> None:
    """Run the DICOM listener alone."""
    _serve(config, listener=True)


@app.command
def work(*, config: Config = None) -> None:
    """Run the worker alone: it analyses and delivers what the listener stored."""
    _serve(config, worker=True)


@app.command
def web(*, config: Config = None) -> None:
    """Run the status page and API alone."""
    _serve(config, web=True)


@app.command
def demo(
    *,
    keep: bool = False,
    orthanc: bool = False,
    size: Literal["small", "clinical"] = "small",
    automatic: bool = False,
    folder: Path | None = None,
) -> None:
    """Show the whole journey on this machine with a phantom patient.

    Parameters
    ----------
    keep
        Leave service and archive running until Ctrl-C.
    orthanc
        Use Orthanc as the archive; it must be installed.
    size
        How large the phantom's volumes are.
    automatic
        Send no contours: the service finds liver, zone, tumor and vessels itself.
    folder
        Where to put everything; a fresh folder by default.
    """
    from service.commands.demo import Choice, show

    choice = Choice(size=size, drawn=not automatic, orthanc=orthanc, keep=keep, folder=folder)
    sys.exit(show(console, choice, wait=lambda: stop_event().wait()))


@app.command
def analyse(folder: Path, /, *, out: Path | None = None, json: bool = False, config: Config = None) -> None:
    """Analyse the DICOM files below FOLDER without any network: findings as a table and JSON, SR and SEG as files.

    Parameters
    ----------
    folder
        Searched through all its subfolders.
    out
        Where the results go; "cryomargin-results" by default.
    json
        Print the findings as JSON instead of a table.
    """
    from service.commands.analyse import analyse_folder

    sys.exit(analyse_folder(console, _settings(config), folder, out or Path("cryomargin-results"), as_json=json))


@app.command
def replay(study_uid: str, /, *, config: Config = None) -> None:
    """Analyse a received study once more; the running worker takes it up.

    Parameters
    ----------
    study_uid
        StudyInstanceUID.
    """
    from service.app import open_index

    with open_index(_settings(config)) as index:
        console.print(f"Queued as job {index.reopen(study_uid).job_id}", highlight=False)


@app.command
def doctor(*, config: Config = None) -> None:
    """Check configuration, folders, ports, destinations and the measurement itself."""
    from service.commands.doctor import examine

    sys.exit(examine(console, _settings(config)))


def _settings(config: Path | None) -> Settings:
    from service.settings import load

    return load(config)


def _serve(config: Path | None, *, listener: bool = False, worker: bool = False, web: bool = False) -> None:
    """Run until SIGTERM or Ctrl-C, then drain; a second signal ends at once."""
    settings = _settings(config)

    from service.app import Parts, Service, configure_log

    configure_log(settings.log.level)
    service = Service(settings, Parts(listener, worker, web))
    asked = stop_event()
    service.start()
    asked.wait()
    service.stop()


def stop_event() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; the next one has its usual effect again."""
    asked = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        asked.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return asked

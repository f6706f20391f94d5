"""The command line: each command imports what it alone needs, so that `--help` and `analyse` start without engine."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console

from service import __version__

if TYPE_CHECKING:
    from service.settings import Settings

Config = Annotated[Path | None, Parameter(name=["--config", "-c"], help="TOML file; without it the defaults hold.")]

Action = Literal[
    "hold", "release", "complete", "cancel", "analyse", "deliver", "resend", "urgent", "normal", "pause", "resume", "drain"
]

BAD_START = 2  # exit status when configuration or surroundings do not let us start
FAILED = 1
LOOK_S = 0.2
DECODERS = "gdcm", "pylibjpeg", "PIL"
LAST_RESORT_S = 45.0  # beyond the drains: what cannot be waited for is left to the next start

app = App(
    name="cryomargin",
    version=__version__,
    help="The ablation margin on the 24-hour MRI after liver cryoablation, as a DICOM Structured Report. For research use.",
)
console = Console()
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    """The console script: a fault that the operator can put right is one line and exit status 2."""
    gc.set_threshold(50_000, 20, 100)  # by default every 700 objects: to look for garbage took an eighth of each start
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
    sys.exit(show(console, choice, wait=lambda: StopRequest().wait()))


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


@app.command(name="import")
def import_(folder: Path, /, *, list_failed: bool = False, config: Config = None) -> None:
    """Take the DICOM files below FOLDER into the store, as if they had been sent; the service may be running.

    Parameters
    ----------
    folder
        Searched through all its subfolders. May be one file.
    list_failed
        Print the path of each file that was refused or could not be read, with the reason. Paths may name patients.
    """
    from service.commands.importing import import_folder
    from service.startup import configure_log

    configure_log("error")  # the summary says what became of each file; a line each would bury the progress
    sys.exit(import_folder(console, _settings(config), folder, list_failed=list_failed))


@app.command
def backup(folder: Path, /, *, files_only: bool = False, config: Config = None) -> None:
    """Copy the whole store into FOLDER, while the service runs; a repeat copies only what is new.

    Parameters
    ----------
    folder
        On another disk. It must hold nothing but earlier backups of the same store.
    files_only
        Leave the databases out: with PostgreSQL, after pg_dump.
    """
    from service.commands.backup import back_up_store

    back_up_store(console, _settings(config), folder, files_only=files_only)


@app.command
def restore(folder: Path, /, *, config: Config = None) -> None:
    """Make the store anew from the backup in FOLDER; the service must not be running.

    Parameters
    ----------
    folder
        Where `backup` wrote to.
    """
    from service.commands.backup import restore_store

    restore_store(console, _settings(config), folder)


@app.command
def migrate(*, config: Config = None) -> None:
    """Move the index from SQLite in the storage folder to the PostgreSQL of database.url; the service must not be running."""
    from service.commands.migrate import migrate_store

    migrate_store(console, _settings(config))


@app.command
def replay(study_uid: str, /, *, config: Config = None) -> None:
    """Analyse a received study once more; the running worker takes it up.

    Parameters
    ----------
    study_uid
        StudyInstanceUID.
    """
    order("analyse", study_uid, config=config)


@app.command
def order(action: Action, subject: str, /, *, to: str = "", config: Config = None) -> None:
    """Order something of a study, a queue or a worker; running processes take it up.

    Parameters
    ----------
    action
        Of a study: hold, release, complete, cancel, analyse, deliver (do it once more from there), resend, urgent, normal. Of a
        queue: pause, resume. Of a worker: drain, resume.
    subject
        StudyInstanceUID, "analysis" or "delivery", or the name of a worker.
    to
        The destination that resend sends to.
    """
    from service.commands.order import carry_out

    carry_out(console, _settings(config), action, subject, to)


@app.command
def selftest(destination: str, /, *, write: Path | None = None, config: Config = None) -> None:
    """Send one phantom object of every kind to DESTINATION, ask for each, and write what it takes as its profile.

    Parameters
    ----------
    destination
        Its name in the configuration.
    write
        A new file for the profile; it is printed either way.
    """
    from service.commands.selftest import try_destination

    sys.exit(try_destination(console, _settings(config), destination, write))


@app.command
def doctor(*, config: Config = None) -> None:
    """Check configuration, folders, ports, destinations and the measurement itself."""
    from service.commands.doctor import examine

    sys.exit(examine(console, _settings(config)))


def _settings(config: Path | None) -> Settings:
    from service.settings import load

    return load(config)


def _serve(config: Path | None, *, listener: bool = False, worker: bool = False, web: bool = False) -> None:
    """Run until SIGTERM or Ctrl-C, then drain; a second signal ends at once, SIGUSR1 writes where every thread stands."""
    without_decoders()
    settings = _settings(config)

    from service.app import Parts, Service
    from service.startup import configure_log

    configure_log(settings.log.level)
    faulthandler.register(signal.SIGUSR1)
    service = Service(settings, Parts(listener, worker, web))
    asked = StopRequest()
    service.start()
    gc.freeze()  # what was loaded stays to the end: to look for garbage in it would cost 0.2 s again and again
    asked.wait()
    # Nothing that was acknowledged needs a clean end, and whoever starts us again must not wait for ever.
    faulthandler.dump_traceback_later(settings.listener.drain_s + settings.worker.drain_s + LAST_RESORT_S, exit=True)
    service.stop()
    _leave()


def without_decoders() -> None:
    """Spare this process a fifth of its memory: pydicom would load every decoder of pixels that is installed.

    Pixels are decoded in the processes of the analysis alone. None makes an import fail as if it were not installed.
    """
    for name in DECODERS:
        sys.modules[name] = None  # type: ignore[assignment]


def _leave() -> None:
    """End now: all is closed, and a thread that a library left behind must not hold up a restart."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class StopRequest:
    """The first SIGTERM or SIGINT, kept; the next one has its usual effect again."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def wait(self) -> None:
        """Until it came. Looks again and again: a signal that another thread received does not wake this one."""
        while not self._asked:
            time.sleep(LOOK_S)

    def _ask(self, _number: int, _frame: object) -> None:
        """Takes no lock: the thread that it interrupts may hold it."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._asked = True

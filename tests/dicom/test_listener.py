from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from structlog.testing import capture_logs

from service.codes import DEVICE_UID
from service.dicom.header_scan import read_header
from service.dicom.listener import Listener
from service.dicom.reception import file_head
from service.store.files import Files
from service.store.index import Index
from service.store.records import State
from tests.dicom import serve as serve_script
from tests.dicom.conftest import Station
from tests.dicom.wire import BIG, CT, EXPLICIT, IMPLICIT, MR, STUDY, Sender, an_image, encode
from tests.peers import real_data, require_program

Serve = Callable[..., Station]
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def dcmtk(name: str) -> str:
    """A program of DCMTK; pynetdicom puts programs of the same names beside the interpreter."""
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.get_exec_path() if Path(folder) != ours]
    return require_program(shutil.which(name, path=os.pathsep.join(folders)) or f"{name} of DCMTK")


def eventually(condition: Callable[[], bool], timeout_s: float = 10) -> bool:
    """Whether the condition comes true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def test_an_echo_is_answered(serve: Serve) -> None:
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(Verification)
    association = entity.associate(*serve().address, ae_title="CRYOMARGIN")

    assert association.send_c_echo().Status == 0x0000
    association.release()


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, JPEG_2000])
def test_an_instance_is_stored_as_its_bytes_came(serve: Serve, syntax: str) -> None:
    station = serve()
    content = encode(an_image("1.2.3"), syntax)
    with Sender(station.address, syntax=syntax) as sender:
        assert sender.send(content, "1.2.3").Status == 0x0000

    assert station.stored() == [file_head(MR, "1.2.3", syntax) + content]
    (stored,) = station.index.instances(STUDY)
    assert stored.transfer_syntax_uid == syntax


def test_a_private_class_is_stored_too(serve: Serve) -> None:
    """Siemens scanners send these among the images and stop when they may not."""
    private = "1.3.12.2.1107.5.9.1"
    station = serve()
    with Sender(station.address, classes=(private,)) as sender:
        assert sender.store(an_image(changes={"SOPClassUID": private})) == 0x0000
    assert station.index.counts().ignored == 1


def test_the_same_instance_again_is_success_without_a_second_row(serve: Serve) -> None:
    station = serve()
    for _ in range(2):
        with Sender(station.address) as sender:
            assert sender.store(an_image("1.2.3")) == 0x0000

    assert station.index.counts().instances == 1
    assert len(station.stored()) == 1


def test_a_changed_instance_is_kept_beside_the_first(serve: Serve) -> None:
    station = serve()
    with Sender(station.address) as sender:
        assert sender.store(an_image("1.2.3")) == 0x0000
        assert sender.store(an_image("1.2.3", {"SeriesNumber": 5})) == 0x0000

    detail = station.index.study(STUDY)
    assert detail is not None
    assert len(station.stored()) == 2
    assert (detail.summary.instances, detail.summary.conflicts) == (1, 1)
    assert station.index.instances(STUDY)[0].series_number == 4


def test_own_and_other_objects_are_stored_but_start_nothing(serve: Serve) -> None:
    station = serve()
    with Sender(station.address, classes=(MR, CT)) as sender:
        assert sender.store(an_image(changes={"DeviceUID": DEVICE_UID}, study="1.2.1")) == 0x0000
        assert sender.store(an_image(changes={"SOPClassUID": CT}, study="1.2.2")) == 0x0000

    summaries = {summary.study_instance_uid: summary for summary in station.index.studies(10)}
    assert len(station.stored()) == 2
    assert {summary.state for summary in summaries.values()} == {State.NOTHING_TO_DO}
    assert "Made by this service" in summaries["1.2.1"].sentence
    assert "CT Image Storage" in summaries["1.2.2"].sentence
    assert station.index.activities() == []


def test_a_study_waits_for_the_release_of_its_association(serve: Serve) -> None:
    station = serve()
    with Sender(station.address) as sender:
        sender.store(an_image())
        (before,) = station.index.activities()

    assert (before.open_associations, before.last_released_at) == (1, None)
    assert eventually(lambda: station.index.activities()[0].open_associations == 0)
    released = station.index.activities()[0].last_released_at
    assert released is not None
    assert released >= before.last_received_at


def test_the_wrong_called_title_is_rejected_with_that_reason(serve: Serve) -> None:
    with capture_logs() as logs:
        sender = Sender(serve().address, called="SOMEBODY")

    answer = sender.association.acceptor.primitive
    assert sender.association.is_rejected
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 7)
    (rejected,) = [entry for entry in logs if entry["event"] == "association_rejected"]
    assert (rejected["calling_ae"], rejected["called_ae"]) == ("SCANNER", "SOMEBODY")
    assert "Called AE title not recognised" in rejected["reason"]


def test_an_unknown_calling_title_is_rejected_with_that_reason(serve: Serve) -> None:
    station = serve(calling_ae_titles=("SCANNER", "ARCHIVE"))
    stranger = Sender(station.address, calling="STRANGER")
    answer = stranger.association.acceptor.primitive

    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 3)
    with Sender(station.address, calling="ARCHIVE") as sender:
        assert sender.association.is_established


def test_a_star_lets_everybody_in(serve: Serve) -> None:
    with Sender(serve(calling_ae_titles=("*",)).address, calling="STRANGER") as sender:
        assert sender.association.is_established


def test_one_association_too_many_is_told_to_come_later(serve: Serve) -> None:
    station = serve(max_associations=1)
    with Sender(station.address):
        second = Sender(station.address)
        answer = second.association.acceptor.primitive

    assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)


def test_a_nearly_full_disk_refuses_with_the_reason(serve: Serve) -> None:
    station = serve(min_free_bytes=1 << 60)
    with Sender(station.address) as sender:
        answer = sender.send(encode(an_image("1.2.3")), "1.2.3")

    assert (answer.Status, answer.ErrorComment) == (0xA700, "The disk is nearly full.")
    assert station.stored() == []


@pytest.mark.parametrize(
    ("content", "uid", "status"),
    [
        (b"no DICOM at all, but quite long", "1.2.3", 0xC000),
        (encode(an_image("1.2.3", {"StudyInstanceUID": None})), "1.2.3", 0xC000),
        (encode(an_image("1.2.3", {"SOPInstanceUID": None})), "1.2.3", 0xC000),
        (encode(an_image("1.2.3"))[:100], "1.2.3", 0xC000),
        (encode(an_image("1.2.3"), IMPLICIT), "1.2.3", 0xC000),
        (encode(an_image("1.2.3")), "1.2.4", 0xA900),
        (encode(an_image("1.2.3", {"SOPClassUID": CT})), "1.2.3", 0xA900),
    ],
)
def test_a_malformed_object_is_refused_and_the_association_lives_on(
    serve: Serve, content: bytes, uid: str, status: int
) -> None:
    station = serve()
    with Sender(station.address) as sender:
        assert sender.send(content, uid).Status == status
        assert station.stored() == []
        assert sender.store(an_image()) == 0x0000


def test_a_class_that_is_not_that_of_its_context_is_refused(serve: Serve) -> None:
    station = serve()
    image = an_image("1.2.3", {"SOPClassUID": CT})
    with Sender(station.address, classes=(MR, CT)) as sender:
        assert sender.send(encode(image), "1.2.3", CT, context=MR).Status == 0xA900


def files_below(folder: Path) -> set[Path]:
    """All files but those that the database makes as it goes."""
    return {path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("index.db")}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("uid", ["../../evil", "/tmp/evil", "..", "1.2/../../3", "C:\\evil"])  # noqa: S108 - meant as an attack
def test_a_uid_is_data_and_never_a_path(serve: Serve, uid: str, tmp_path: Path) -> None:
    station = serve()
    before = files_below(tmp_path)
    raw = encode(an_image("1.2.3.4.5.6.7")).replace(b"1.2.3.4.5.6.7\0", uid.encode().ljust(14, b"\0"))
    with Sender(station.address) as sender:
        assert sender.send(raw, uid).Status == 0xC000

    assert files_below(tmp_path) == before


def test_no_name_on_disk_comes_from_the_wire(serve: Serve) -> None:
    station = serve()
    uid = generate_uid()
    with Sender(station.address) as sender:
        sender.store(an_image(uid))

    assert not any(part in str(path) for path in station.files.root.rglob("*") for part in (uid, STUDY, "P1", "SCANNER"))


def test_the_cause_of_every_end_is_logged(serve: Serve) -> None:
    """Pynetdicom itself calls all but the first "aborted"."""
    station = serve()
    with capture_logs() as logs:
        with Sender(station.address):
            pass
        aborting = Sender(station.address)
        aborting.association.abort()
        lost = Sender(station.address)
        lost.association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        assert eventually(lambda: len(ends(logs)) == 3)

    assert ends(logs) == ["released", "the peer sent A-ABORT", "the connection was lost"]
    assert station.listener.open_associations == 0
    assert station.index.counts().open_associations == 0


def ends(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The causes in the log, in order."""
    return [entry["cause"] for entry in logs if entry["event"] == "association_closed"]


def test_silence_for_too_long_is_ended_and_named(serve: Serve) -> None:
    station = serve(network_timeout_s=0.5)
    with capture_logs() as logs:
        silent = Sender(station.address)
        assert eventually(lambda: bool(ends(logs)))

    assert "silence" in ends(logs)[0]
    assert silent.association.is_aborted


def test_a_connection_that_asks_for_nothing_is_named(serve: Serve) -> None:
    station = serve()
    with capture_logs() as logs:
        socket.create_connection(station.address).close()
        assert eventually(lambda: any(entry["event"] == "connection_closed" for entry in logs))


def test_a_stop_lets_open_associations_finish(serve: Serve) -> None:
    station = serve()
    with Sender(station.address) as sender:
        sender.store(an_image())
        stopping = threading.Thread(target=station.listener.stop, args=(20,))
        stopping.start()
        time.sleep(1)
        assert sender.store(an_image()) == 0x0000
    stopping.join(20)

    assert not stopping.is_alive()
    assert station.index.counts().instances == 2
    assert station.index.counts().open_associations == 0


def test_a_stop_ends_associations_that_do_not(serve: Serve) -> None:
    station = serve()
    address = station.address
    sender = Sender(address)
    with capture_logs() as logs:
        station.listener.stop(drain_s=0.1)

    assert eventually(lambda: sender.association.is_aborted)
    assert [entry["aborted"] for entry in logs if entry["event"] == "stopped"] == [1]
    assert station.index.counts().open_associations == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_stop_does_not_wait_for_connections_that_say_nothing(serve: Serve) -> None:
    station = serve(acse_timeout_s=30)
    with socket.create_connection(station.address):
        time.sleep(0.2)
        began = time.monotonic()
        station.listener.stop(drain_s=30)

        assert time.monotonic() - began < 10


def test_an_address_in_use_is_an_error_at_the_start(serve: Serve) -> None:
    port = serve().address[1]
    with pytest.raises(OSError, match="in use"):
        serve(port=port)


def test_what_a_crash_left_behind_is_put_right_at_the_start(serve: Serve, files: Files, index: Index) -> None:
    """A part file, a file without its row, an association that nobody closed."""
    (files.root / "incoming" / "old.part").write_bytes(b"half")
    with files.receive() as incoming:
        incoming.write(file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3")))
        incoming.commit()
    index.association_opened("old", "10.0.0.1:1", "SCANNER", serve_script.now())
    with capture_logs() as logs:
        serve()

    (recovered,) = [entry for entry in logs if entry["event"] == "recovered"]
    assert (recovered["part_files"], recovered["added"]) == (1, 1)
    assert [stored.sop_instance_uid for stored in index.instances(STUDY)] == ["1.2.3"]
    assert index.counts().open_associations == 0


class Victim:
    """A listener process that gets killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "port").unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, serve_script.__file__, str(folder)], stdout=subprocess.DEVNULL)
        assert eventually((folder / "port").exists, 60)
        self.address = ("127.0.0.1", int((folder / "port").read_text()))

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Callable[[], Victim]]:
    started: list[Victim] = []

    def start() -> Victim:
        started.append(Victim(tmp_path))
        return started[-1]

    yield start
    for victim in started:
        if victim.process.poll() is None:
            victim.kill()


def send_until_it_dies(victim: Victim, acknowledged: dict[str, bytes]) -> None:
    """Store new instances one after the other and note those that were acknowledged."""
    with Sender(victim.address) as sender:
        while sender.association.is_established:
            image = an_image()
            content = encode(image)
            answer = sender.send(content, image.SOPInstanceUID)
            if answer is None:
                return
            if answer.Status == 0x0000:
                acknowledged[str(image.SOPInstanceUID)] = content


@pytest.mark.slow
def test_a_killed_listener_has_lost_nothing_that_it_acknowledged(victims: Callable[[], Victim], tmp_path: Path) -> None:
    """Kill -9 at random instants under load, three times over the same store."""
    acknowledged: dict[str, bytes] = {}
    for _ in range(3):
        victim = victims()
        threads = [threading.Thread(target=send_until_it_dies, args=(victim, acknowledged)) for _ in range(3)]
        for thread in threads:
            thread.start()
        enough = len(acknowledged) + 5
        assert eventually(lambda enough=enough: len(acknowledged) >= enough, 60)  # type: ignore[misc]
        time.sleep(random.random())  # noqa: S311 - an instant, not a secret
        victim.kill()
        for thread in threads:
            thread.join(60)

    files = Files(tmp_path / "content")
    with Index.open(f"sqlite:///{tmp_path}/index.db") as index:
        index.reconcile(files, read_header)
        stored = {instance.sop_instance_uid: instance for instance in index.instances(STUDY)}
    assert acknowledged.keys() <= stored.keys()
    for uid, content in acknowledged.items():
        assert files.path(stored[uid].key).read_bytes() == file_head(MR, uid, EXPLICIT) + content
    assert {instance.key for instance in stored.values()} == set(files.received_keys())


@pytest.mark.peer
def test_dcmtk_is_answered_and_rejected_as_it_should(serve: Serve) -> None:
    echoscu = dcmtk("echoscu")
    host, port = serve(calling_ae_titles=("DCMTK",)).address

    def echo(calling: str, called: str) -> subprocess.CompletedProcess[str]:
        command = [echoscu, "-v", "-aet", calling, "-aec", called, host, str(port)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert echo("DCMTK", "CRYOMARGIN").returncode == 0
    assert "Calling AE Title Not Recognized" in str(echo("OTHER", "CRYOMARGIN"))
    assert "Called AE Title Not Recognized" in str(echo("DCMTK", "OTHER"))


@pytest.mark.peer
@pytest.mark.parametrize("option", ["-xe", "-xb", "-xi"])
def test_storescu_sends_in_every_uncompressed_syntax(serve: Serve, tmp_path: Path, option: str) -> None:
    storescu = dcmtk("storescu")
    station = serve()
    source = tmp_path / "one.dcm"
    source.write_bytes(file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3")))
    host, port = station.address
    command = [storescu, "-v", option, "-aec", "CRYOMARGIN", host, str(port), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    (stored,) = station.index.instances(STUDY)
    image = dcmread(station.files.path(stored.key))
    assert (image.SOPInstanceUID, image.SeriesDescription, image.PixelData) == ("1.2.3", "portal venös", bytes(range(128)))


@pytest.mark.peer
@pytest.mark.real_data
def test_dcmsend_sends_compressed_images_as_they_are(serve: Serve) -> None:
    """One image in nine transfer syntaxes arrives in each of them, with its pixels untouched."""
    dcmsend = dcmtk("dcmsend")
    folder = real_data("transfer_syntax", "one_image_nine_syntaxes")
    sources = {str(dcmread(path).SOPInstanceUID): dcmread(path) for path in folder.rglob("*") if is_dicom(path)}
    station = serve()
    host, port = station.address
    command = [
        dcmsend,
        "-v",
        "-aec",
        "CRYOMARGIN",
        "--decompress-never",
        "--no-halt",
        "+sd",
        "+r",
        host,
        str(port),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    received = [dcmread(station.files.path(key)) for key in station.files.received_keys()]
    assert len(received) == len(sources) > 0, done.stderr
    for image in received:
        source = sources[str(image.SOPInstanceUID)]
        # dcmsend itself turns one uncompressed encoding into the other; what is compressed it sends as it is.
        if source.file_meta.TransferSyntaxUID.is_compressed:
            assert image.file_meta.TransferSyntaxUID == source.file_meta.TransferSyntaxUID
            assert image.PixelData == source.PixelData


def is_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM files do."""
    return path.is_file() and path.read_bytes()[128:132] == b"DICM"


def test_the_listener_can_be_stopped_before_it_started(files: Files, index: Index) -> None:
    from service.dicom.listener import ListenerOptions

    Listener(ListenerOptions(), files, index, read_header, serve_script.now).stop()

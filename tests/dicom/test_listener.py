from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from service.codes import DEVICE_UID
from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.dicom.reception import file_head
from service.errors import TryAgain
from service.store.files import Files
from service.store.index import Index
from service.store.records import State
from tests.dicom import serve as serve_script
from tests.dicom.conftest import Station
from tests.dicom.wire import BIG, CT, EXPLICIT, IMPLICIT, MR, STUDY, Sender, an_image, encode

Serve = Callable[..., Station]
JPEG_2000 = "1.2.840.10008.1.2.4.90"


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


@pytest.mark.parametrize("fast", [True, False])
def test_an_address_in_use_is_an_error_before_anything_is_changed(serve: Serve, *, fast: bool) -> None:
    """A second listener by mistake: what is open belongs to the first one, and its studies are not complete."""
    station = serve(fast=fast)
    station.index.association_opened("a", "10.0.0.1:1", "SCANNER", serve_script.now())
    part = station.files.root / "incoming" / "old.part"
    part.touch()
    with pytest.raises(OSError, match="in use"):
        serve(port=station.address[1], fast=fast)

    assert station.index.counts().open_associations == 1
    assert part.exists()


class NoRecovery(Index):
    """An index that is away when the start needs it."""

    def close_all_associations(self, at: datetime) -> None:  # noqa: ARG002 - it fails before it looks
        """Fail."""
        raise TryAgain("store.unavailable", "The index cannot be reached.")


def test_a_start_that_fails_gives_the_address_back(files: Files, index: Index) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ListenerOptions(port=port)
    with pytest.raises(TryAgain):
        Listener(options, files, NoRecovery(index._database), read_header, serve_script.now).start()

    listener = Listener(options, files, index, read_header, serve_script.now)
    listener.start()
    assert listener.address[1] == port
    listener.stop()


def test_the_listener_can_be_stopped_before_it_started(files: Files, index: Index) -> None:
    Listener(ListenerOptions(), files, index, read_header, serve_script.now).stop()

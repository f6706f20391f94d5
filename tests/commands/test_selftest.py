"""The self-test of a destination against archives that take all, some, or nothing, and against a real one."""

from __future__ import annotations

import shutil
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, SegmentationStorage
from pynetdicom import AE, evt
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import Verification
from rich.console import Console

from service.commands import selftest
from service.dicom.archive import Archive
from service.errors import TryAgain
from service.jobs import specimen
from service.jobs.messages import MadeFile
from service.jobs.specimen import PATIENT_ID, PATIENT_NAME, ROLES, make_specimens
from service.options import AnalysisOptions
from service.report.compose import OUTPUTS
from service.settings import Delivery, DestinationTable, Report, Settings, load
from tests.journey.orthanc import Orthanc

DEFAULT = Report().outputs
QUICK = Delivery(timeout_s=3.0)


@dataclass(frozen=True, slots=True)
class Made:
    """The objects that the tests send, and the folder that they lie in."""

    folder: Path
    files: tuple[MadeFile, ...]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("specimens")
    return Made(folder, make_specimens(folder, AnalysisOptions()))


@pytest.fixture
def premade(made: Made, monkeypatch: pytest.MonkeyPatch) -> Made:
    """The command finds the objects made already: making them takes longer than all that is tested with them."""

    def copied(folder: Path, _options: AnalysisOptions) -> tuple[MadeFile, ...]:
        for one in made.files:
            shutil.copy(made.folder / one.name, folder / one.name)
        return made.files

    monkeypatch.setattr(specimen, "make_specimens", copied)
    return made


def settings_for(address: str, **more: Any) -> Settings:
    """A configuration with one destination, named pacs."""
    return Settings(delivery=QUICK, destination=(DestinationTable(name="pacs", address=address),), **more)


@dataclass
class Said:
    """What the command printed, and its exit status."""

    status: int
    text: str

    def row(self, role: str) -> list[str]:
        """The cells of an object's line."""
        lines = [line for line in self.text.splitlines() if line.startswith("│")]
        return next(cells for line in lines if (cells := [cell.strip() for cell in line.strip("│").split("│")])[0] == role)


def tried(settings: Settings, name: str = "pacs", write: Path | None = None) -> Said:
    output = StringIO()
    status = selftest.try_destination(Console(file=output, width=260), settings, name, write)
    return Said(status, output.getvalue())


@dataclass
class Peer:
    """A storage SCP: which classes and syntaxes it takes, and what came."""

    syntaxes: list[str] = field(default_factory=lambda: [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    refuses: frozenset[str] = frozenset()
    answer: int = 0x0000
    came: list[str] = field(default_factory=list)

    @contextmanager
    def address(self) -> Iterator[str]:
        """Listen; gives the address."""
        entity = AE(ae_title="PEER")
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            if context.abstract_syntax not in self.refuses:
                entity.add_supported_context(context.abstract_syntax, self.syntaxes)
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        try:
            yield f"PEER@127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()

    def _store(self, event: Any) -> int:
        self.came.append(str(event.request.AffectedSOPClassUID))
        return self.answer


def test_there_is_one_object_of_every_kind_and_each_says_that_it_is_a_test(made: Made) -> None:
    assert [one.role for one in made.files] == list(ROLES) == [role for role, _make in OUTPUTS]
    for one in made.files:
        header = dcmread(made.folder / one.name, stop_before_pixels=True)
        assert (header.PatientName, header.PatientID) == (PATIENT_NAME, PATIENT_ID)
        assert "TEST" in str(header.PatientName)
        assert "TEST" in header.PatientID
        assert "TEST" in header.StudyDescription
        assert "NOT A PATIENT" in header.StudyDescription


@pytest.mark.slow
def test_a_repeat_sends_the_same_objects(made: Made, tmp_path: Path) -> None:
    """An archive that is tried every week must not fill up with test objects."""
    again = make_specimens(tmp_path, AnalysisOptions())
    assert [one.sop_instance_uid for one in again] == [one.sop_instance_uid for one in made.files]


def test_an_archive_that_takes_and_shows_everything(premade: Made, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.start()
    try:
        said = tried(settings_for(archive.address), write=tmp_path / "profile.toml")
        stored = {one.reference.sop_instance_uid for one in archive.stored()}
    finally:
        archive.stop()
    assert said.status == 0
    assert stored == {one.sop_instance_uid for one in premade.files}
    assert {tuple(said.row(role)[2:5]) for role in ROLES} == {("explicit VR, implicit VR", "yes", "yes")}
    (written,) = tomllib.loads((tmp_path / "profile.toml").read_text())["destination"]
    assert (written["verify"], written["objects"]) == ("find", list(DEFAULT))
    assert f"# It would also take {', '.join(role for role in ROLES if role not in DEFAULT)}:" in said.text


def test_the_profile_is_a_configuration_that_can_be_used(premade: Made, tmp_path: Path) -> None:
    """What is pasted must start, and give the destination what it was found to take."""
    path = tmp_path / "profile.toml"
    with Peer(syntaxes=[ImplicitVRLittleEndian], refuses=frozenset({SegmentationStorage})).address() as address:
        everything = Report.model_validate({"outputs": ROLES})
        tried(settings_for(address, report=everything), write=path)
    outputs = ", ".join(f'"{role}"' for role in ROLES)
    path.write_text(f"[report]\noutputs = [{outputs}]\n{path.read_text()}")
    (destination,) = load(path).destination
    assert (destination.name, destination.address) == ("pacs", address)
    assert destination.objects == tuple(one.role for one in premade.files if one.role != "seg")
    assert destination.transfer_syntaxes == ("implicit_vr_little_endian",)
    assert destination.verify == "none"


@pytest.mark.usefixtures("premade")
def test_an_archive_that_refuses_segmentations_gets_the_rest() -> None:
    peer = Peer(refuses=frozenset({SegmentationStorage}))
    with peer.address() as address:
        said = tried(settings_for(address))
    assert said.status == 0
    assert SegmentationStorage not in peer.came
    assert said.row("seg")[2:5] == ["none", "NO", "not asked"]
    assert "Segmentation Storage (SOP class not supported)" in said.row("seg")[5]
    assert said.row("sr")[3:5] == ["yes", "not asked"]
    assert "does not offer C-FIND" in said.row("sr")[5]
    assert '"seg"' not in said.text
    assert 'objects = ["sr"' in said.text
    assert 'verify = "none"' in said.text


@pytest.mark.usefixtures("premade")
def test_an_archive_that_stores_nothing_has_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    with Peer(answer=0xA900).address() as address:
        said = tried(settings_for(address), write=path)
    assert said.status == 1
    assert "(0xA900)" in said.row("sr")[5]
    assert "Nothing could be stored." in said.text
    assert "[[destination]]" not in said.text
    assert not path.exists()


@pytest.mark.usefixtures("premade")
def test_an_archive_that_knows_no_kind_of_result_is_told() -> None:
    kinds = frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
    with Peer(refuses=kinds).address() as address:
        said = tried(settings_for(address))
    assert said.status == 1
    assert {said.row(role)[3] for role in ROLES} == {"NO"}
    assert "SOP class not supported" in said.row("sr")[5]


def test_an_archive_that_is_down_is_told_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object) -> tuple[MadeFile, ...]:
        pytest.fail("objects were made for nobody")

    monkeypatch.setattr(specimen, "make_specimens", never)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"DOWN@127.0.0.1:{free.getsockname()[1]}"
    said = tried(settings_for(address))
    assert said.status == 1
    assert said.text.startswith("Nothing can be stored: pacs")
    assert "connection refused" in said.text


def test_a_name_that_the_configuration_lacks_is_told_with_those_that_it_has() -> None:
    with pytest.raises(TryAgain, match="'vna'; the configuration has: pacs"):
        tried(settings_for("PACS@127.0.0.1:1"), "vna")


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "service.toml").write_text("precious")
    with pytest.raises(TryAgain, match="exists already"):
        tried(settings_for("PACS@127.0.0.1:1"), write=tmp_path / "service.toml")
    assert (tmp_path / "service.toml").read_text() == "precious"


@pytest.mark.peer
def test_orthanc_takes_and_shows_every_kind(premade: Made, tmp_path: Path) -> None:
    orthanc = Orthanc(tmp_path / "orthanc", 1)
    try:
        orthanc.start()
        said = tried(settings_for(f"ORTHANC@127.0.0.1:{orthanc.port}"))
        (study,) = orthanc.studies(
            str(dcmread(premade.folder / premade.files[0].name, stop_before_pixels=True).StudyInstanceUID)
        )
        counts = orthanc.counts(study)
    finally:
        orthanc.stop()
    assert said.status == 0
    assert {tuple(said.row(role)[3:5]) for role in ROLES} == {("yes", "yes")}, said.text
    assert sum(counts.values()) == len(ROLES)

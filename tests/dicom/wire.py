"""Small objects, and a way to put any bytes at all into a C-STORE."""

from __future__ import annotations

import io
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Self

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY = "1.2.826.0.1.3680043.10.1"


def an_image(sop_instance_uid: str = "", changes: Mapping[str, Any] | None = None, *, study: str = STUDY) -> Dataset:
    """A tiny MR image; a change to None takes the attribute away."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = MR
    dataset.SOPInstanceUID = sop_instance_uid or generate_uid()
    dataset.Modality = "MR"
    dataset.SeriesDescription = "portal venös"
    dataset.PatientName = "DOE^JANE"
    dataset.PatientID = "P1"
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = f"{study}.4"
    dataset.SeriesNumber = 4
    dataset.Rows = dataset.Columns = 8
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.PixelData = bytes(range(128))
    dataset["PixelData"].VR = "OW"
    for name, value in (changes or {}).items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def encode(dataset: Dataset, transfer_syntax_uid: str = EXPLICIT) -> bytes:
    """The bare data set as it travels."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = transfer_syntax_uid != BIG
    buffer.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())


class Sender:
    """One association that stores bytes as they are given."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        classes: tuple[str, ...] = (MR,),
        syntax: str = EXPLICIT,
        calling: str = "SCANNER",
        called: str = "CRYOMARGIN",
    ) -> None:
        entity = AE(ae_title=calling)
        entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = 30
        for sop_class in classes:
            entity.add_requested_context(sop_class, syntax)
        self.association = entity.associate(*address, ae_title=called)
        # pynetdicom forgets to close the socket of a connection that the peer ended first.
        connection = self.association.dul.socket
        if connection is not None and connection.socket is not None:
            weakref.finalize(self, connection.socket.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.association.is_established:
            self.association.release()

    def send(self, content: bytes | None, sop_instance_uid: str, sop_class_uid: str = MR, *, context: str = "") -> Any:
        """The C-STORE response; None when there is none. Bypasses every check that pynetdicom makes of a data set."""
        association = self.association
        chosen = next(cx for cx in association.accepted_contexts if cx.abstract_syntax == (context or sop_class_uid))
        request = C_STORE()
        request.MessageID = 1
        request.Priority = 2
        request.AffectedSOPClassUID = sop_class_uid
        request.AffectedSOPInstanceUID = sop_instance_uid
        if content is not None:
            request.DataSet = io.BytesIO(content)
        association._reactor_checkpoint.clear()
        while not association._is_paused:
            time.sleep(0.001)
        association.dimse.send_msg(request, chosen.context_id)
        _, answer = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        return answer

    def store(self, dataset: Dataset, syntax: str = EXPLICIT) -> int:
        """The status of a C-STORE of a whole data set."""
        answer = self.send(encode(dataset, syntax), str(dataset.SOPInstanceUID), str(dataset.SOPClassUID))
        return int(answer.Status)


def eventually(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    """Whether the condition comes true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()

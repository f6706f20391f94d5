"""A small archive that promises to keep what it took: at once, later, in part, or never."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    MRImageStorage,
    SegmentationStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from service.dicom.destination import Destination, Verify

SUCCESS, ALL, SOME = 0x0000, 1, 2
KINDS = (SegmentationStorage, Comprehensive3DSRStorage, MRImageStorage)
Status = Callable[[Any], int]


class Promiser:
    """Loopback only, on a free port. `store` gives the status of each C-STORE.

    `same_association` reports on the association of the request; else `report` is to be called, which opens its own to
    `listener` (port). `failed` gives reasons by SOP Instance UID. Without `commits` there is
    no storage commitment; `answer` is the status of the answer to a request for it.
    """

    def __init__(
        self,
        *,
        store: Status = lambda _event: SUCCESS,
        commits: bool = True,
        same_association: bool = False,
        failed: Mapping[str, int] | None = None,
        answer: int = SUCCESS,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self.store = store
        self.answer = answer
        self.failed = dict(failed or {})
        self.stored: list[str] = []
        self.requests: list[Dataset] = []
        self._answers: list[int] = []
        self._answered = threading.Event()
        self._same = same_association
        entity = AE(ae_title="PROMISER")
        for sop_class in kinds:
            entity.add_supported_context(sop_class)
        if commits:
            entity.add_supported_context(StorageCommitmentPushModel)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._asked)]
        self._server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()

    def destination(self, name: str = "pacs", **more: Any) -> Destination:
        """How it stands in the configuration: asked for storage commitment."""
        port = int(self._server.server_address[1])
        return Destination(name, "PROMISER", "127.0.0.1", port, **{"verify": Verify.COMMITMENT} | more)

    def report(self, listener: int, number: int = -1, ae_title: str = "CRYOMARGIN") -> int:
        """Report about a request on an association of our own; gives the status of the answer."""
        entity = AE(ae_title="PROMISER")
        entity.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = entity.associate("127.0.0.1", listener, ae_title=ae_title, ext_neg=[role])
        assert association.is_established
        try:
            return self._tell(association, self.requests[number])
        finally:
            association.release()

    def heard(self, within_s: float) -> list[int]:
        """The statuses of the answers to all reports, once there is one; -1 where there was no answer."""
        self._answered.wait(within_s)
        return self._answers

    def _store(self, event: Any) -> int:
        status = self.store(event)
        if status is not None and (status == SUCCESS or status & 0xF000 == 0xB000):
            self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return status

    def _asked(self, event: Any) -> tuple[int, None]:
        self.requests.append(event.action_information)
        if self._same and self.answer == SUCCESS:
            threading.Timer(0.1, self._tell, (event.assoc, event.action_information)).start()
        return self.answer, None

    def _tell(self, association: Any, request: Dataset) -> int:
        asked = [str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence]
        told = Dataset()
        told.TransactionUID = request.TransactionUID
        told.ReferencedSOPSequence = [item for item in request.ReferencedSOPSequence if self._keeps(item)]
        told.FailedSOPSequence = [self._without(item) for item in request.ReferencedSOPSequence if not self._keeps(item)]
        kind = SOME if self.failed.keys() & set(asked) else ALL
        status, _ = association.send_n_event_report(told, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
        self._answers.append(int(status.get("Status", -1)))
        self._answered.set()
        return self._answers[-1]

    def _keeps(self, item: Dataset) -> bool:
        return str(item.ReferencedSOPInstanceUID) not in self.failed

    def _without(self, item: Dataset) -> Dataset:
        failed = Dataset()
        failed.update(item)
        failed.FailureReason = self.failed[str(item.ReferencedSOPInstanceUID)]
        return failed

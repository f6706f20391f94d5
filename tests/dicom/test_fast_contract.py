"""What `service/dicom/fast.py` takes for granted of pynetdicom, and `association.py` where it releases.

When this fails, pynetdicom has changed: read what it names, compare with `fast.py`, and only then write the new fingerprint
down. Until then `listener.fast = false` is the way around.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pynetdicom
import pytest
from pynetdicom import fsm
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import _PDU_TYPES, DULServiceProvider
from pynetdicom.presentation import PresentationContext
from pynetdicom.timer import Timer
from pynetdicom.transport import AssociationServer, AssociationSocket, RequestHandler, ThreadedAssociationServer
from pynetdicom.utils import set_uid

FINGERPRINTS = {
    DULServiceProvider.__init__: "c82dafa9438d",
    DULServiceProvider.run_reactor: "e3a10eb3a093",
    DULServiceProvider._process_recv_primitive: "4c0ebbb3e646",
    DULServiceProvider._decode_pdu: "fc71dd1bf853",
    DULServiceProvider.send_pdu: "7cbce5da8594",
    DULServiceProvider.receive_pdu: "fa67339834ca",
    DULServiceProvider.stop_dul: "28a7e0be126e",
    DULServiceProvider.kill_dul: "5ceccf8dd01c",
    DULServiceProvider._send: "a850a7919e68",
    Association.__init__: "eb07516b8009",
    Association.run_reactor: "ed8bbbe3b3d6",
    Association._run_reactor: "f28838c5559e",
    Association.release: "c7d713502b77",
    Association._serve_request: "2f24c1759cdf",
    Association.kill: "8f9713666a7f",
    Association._abort_blocking: "10b43ef8c63c",
    ACSE._negotiate_as_acceptor: "fffd360957c4",
    ACSE.is_aborted: "ad2eb3f545a9",
    ACSE.is_release_requested: "894b33d21a8d",
    DIMSEServiceProvider.receive_primitive: "5f99c86b14a1",
    DIMSEServiceProvider.send_msg: "a839cf2fb469",
    Timer.remaining.fget: "4556c335c34e",
    AssociationSocket.__init__: "1f0325fdef2c",
    AssociationSocket.send: "1ea8158c0b51",
    AssociationSocket.close: "c726c8db5381",
    AssociationSocket._shutdown_socket: "e2b2628faa81",
    RequestHandler.handle: "034823fb4df3",
    RequestHandler._create_association: "05c8d12b7986",
    AssociationServer.__init__: "edacb98bdfb7",
    AssociationServer.get_request: "925a4f3a3042",
    AssociationServer.active_associations.fget: "2dc018cb7d13",
    AssociationServer.shutdown: "e8e2c3a41009",
    AssociationServer.server_close: "3fa1b358badb",
    ThreadedAssociationServer.process_request_thread: "9e76e9b9c8a3",
    fsm.StateMachine.do_action: "9a883f44c7f3",
    fsm.AE_6: "385d595ed494",
    fsm.AA_1: "8495a4665f7a",
    fsm.AA_2: "a58069d82991",
    fsm.AA_3: "de64452e828d",
    fsm.AA_4: "de72d40c80b0",
    fsm.AA_5: "4a8a4a3ac26f",
    fsm.AA_8: "06c83317f088",
    fsm.AR_4: "33a12cf6208e",
    fsm.AR_5: "dc32d2343f42",
    fsm.DT_1: "82e5c5d41145",
    set_uid: "f917a8035170",
    PresentationContext.add_transfer_syntax: "83bb818ef65a",
}


def fingerprint(thing: Any) -> str:
    """Of its source."""
    return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:12]


def test_the_version_is_the_one_that_it_was_written_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    pinned = [line for line in project["project"]["dependencies"] if line.startswith("pynetdicom")]

    assert re.fullmatch(r"3\.0\.\d+", pynetdicom.__version__), "fast.py was written for pynetdicom 3.0"
    assert pinned == ["pynetdicom>=3.0.4,<3.1"]


@pytest.mark.parametrize("thing", FINGERPRINTS, ids=lambda thing: thing.__qualname__)
def test_what_is_replaced_or_relied_on_has_not_changed(thing: Any) -> None:
    assert FINGERPRINTS[thing] == fingerprint(thing), f"pynetdicom changed {thing.__qualname__}: compare service/dicom/fast.py"


def test_the_state_machine_is_that_of_the_standard() -> None:
    table = repr(sorted(fsm.TRANSITION_TABLE.items()))

    assert hashlib.sha256(table.encode()).hexdigest()[:12] == "73f9bd6de4b8"
    assert [event for _, event in _PDU_TYPES.values()] == ["Evt6", "Evt3", "Evt4", "Evt10", "Evt12", "Evt13", "Evt16"]

from __future__ import annotations

import copy

import pytest
from pydicom.uid import AllTransferSyntaxes
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from service.dicom.contexts import VENDOR_CLASSES, acceptor_contexts, storage_classes, transfer_syntaxes


def test_every_storage_class_is_accepted_in_every_transfer_syntax() -> None:
    contexts = {context.abstract_syntax: context.transfer_syntax for context in acceptor_contexts()}

    assert {context.abstract_syntax for context in AllStoragePresentationContexts} <= set(contexts)
    assert all(contexts[uid] == transfer_syntaxes() for uid in storage_classes())
    assert set(AllTransferSyntaxes) <= {
        *transfer_syntaxes(),
        "1.2.840.10008.1.2.7.1",
        "1.2.840.10008.1.2.7.2",
        "1.2.840.10008.1.2.7.3",
    }


def test_verification_is_accepted() -> None:
    assert acceptor_contexts()[0].abstract_syntax == "1.2.840.10008.1.1"


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.6", *VENDOR_CLASSES, "1.2.3.4.5"])
def test_retired_and_private_classes_are_served_as_storage(uid: str) -> None:
    acceptor_contexts([*VENDOR_CLASSES, "1.2.3.4.5"])

    assert uid_to_service_class(uid) is StorageServiceClass


def test_what_has_no_patient_is_not_accepted() -> None:
    assert "1.2.840.10008.5.1.4.1.1.200.1" not in storage_classes()


def test_what_everybody_can_read_is_chosen_first() -> None:
    assert transfer_syntaxes()[:2] == ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
    assert len(set(transfer_syntaxes())) == len(transfer_syntaxes())


def test_the_contexts_are_not_copied_for_each_association() -> None:
    contexts = acceptor_contexts()

    assert copy.deepcopy(contexts) is contexts

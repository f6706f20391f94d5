from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from service.dicom.headers import read_instance
from service.errors import Unusable
from service.study.model import Patient
from tests.dicom.datasets import AXIAL, ENHANCED, code, header, plane, record, shared


def classic(**more: Any) -> Dataset:
    return header(
        **{
            "ImagePositionPatient": [-10.0, -20.0, 30.0],
            "ImageOrientationPatient": AXIAL,
            "PixelSpacing": [1.5, 1.2],
            "AcquisitionDate": "20240302",
            "AcquisitionTime": "101112.5",
            **more,
        }
    )


def test_a_classic_image_has_one_frame_with_all_that_its_header_says() -> None:
    dataset = classic(
        SeriesNumber=4,
        InstanceNumber=17,
        SeriesDescription="T1 arterial",
        StudyDescription="MR liver 24 h",
        ProtocolName="liver",
        BodyPartExamined="LIVER",
        DeviceUID="1.5",
        DeviceSerialNumber="42",
        Rows=208,
        Columns=256,
        SliceThickness=3,
        StudyDate="20240302",
        StudyTime="100000",
        PatientID="P1",
        IssuerOfPatientID="H",
        PatientBirthDate="19500101",
        PatientSex="F",
        ScanningSequence="GR",
        SequenceVariant=["SP", "OSP"],
        ScanOptions="FS",
        MRAcquisitionType="3D",
        RepetitionTime=4.1,
        EchoTime=1.8,
        FlipAngle=10,
        EchoTrainLength=1,
        ContrastBolusAgent="Gadovist",
        Manufacturer="SIEMENS",
        ManufacturerModelName="Sola",
        TriggerTime=30000.0,
        TemporalPositionIdentifier=2,
        AcquisitionNumber=3,
        InversionTime=200,
        DiffusionBValue=800.0,
        ImageType=["ORIGINAL", "PRIMARY", "M"],
        StackID="1",
    )
    instance = read_instance(dataset, "key")
    (frame,) = instance.frames
    assert (instance.content, instance.sop_instance_uid, instance.series_instance_uid) == ("key", "1.2.3.4", "1.2.3")
    assert (instance.series_number, instance.instance_number, instance.rows, instance.columns) == (4, 17, 208, 256)
    assert instance.study_description == "MR liver 24 h"
    assert (instance.series_description, instance.protocol_name, instance.body_part) == ("T1 arterial", "liver", "LIVER")
    assert (instance.device_uid, instance.device_serial, instance.slice_thickness) == ("1.5", "42", 3.0)
    assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert instance.study_at == datetime.fromisoformat("2024-03-02T10:00:00")
    assert instance.patient == Patient("P1", "H", "19500101", "F")
    made = instance.acquisition
    assert (made.scanning_sequence, made.sequence_variant, made.scan_options) == (("GR",), ("SP", "OSP"), ("FS",))
    assert (made.acquisition_type, made.repetition_time, made.flip_angle, made.echo_train_length) == ("3D", 4.1, 10.0, 1)
    assert (made.contrast_agent, made.manufacturer, made.model) == ("Gadovist", "SIEMENS", "Sola")
    assert (frame.position, frame.orientation, frame.spacing) == ((-10, -20, 30), tuple(AXIAL), (1.5, 1.2))
    assert frame.acquired_at == datetime.fromisoformat("2024-03-02T10:11:12.500000")
    assert (frame.trigger_time, frame.temporal_position, frame.acquisition_number) == (30000.0, 2, 3)
    assert (frame.echo_time, frame.inversion_time, frame.b_value) == (1.8, 200.0, 800.0)
    assert (frame.image_type, frame.stack_id) == (("ORIGINAL", "PRIMARY", "M"), "1")


def enhanced() -> Dataset:
    own = [
        plane(
            3.0 * k,
            FrameContentSequence=record(
                FrameAcquisitionDateTime=f"2024030210111{k}.25+0100",
                TemporalPositionIndex=k + 1,
                FrameAcquisitionNumber=k + 5,
                StackID="1",
            ),
            MREchoSequence=record(EffectiveEchoTime=1.8),
            MRDiffusionSequence=record(DiffusionBValue=50.0 * k),
            MRImageFrameTypeSequence=record(
                FrameType=["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"],
                ComplexImageComponent="MAGNITUDE",
                AcquisitionContrast="DIFFUSION",
            ),
        )
        for k in range(2)
    ]
    return header(
        ENHANCED,
        EchoPulseSequence="GRADIENT",
        EchoPlanarPulseSequence="YES",
        SharedFunctionalGroupsSequence=shared(
            MRTimingAndRelatedParametersSequence=record(RepetitionTime=5.0, FlipAngle=12.0, RFEchoTrainLength=4),
            MRModifierSequence=record(InversionRecovery="YES", InversionTimes=[180.0], SpectrallySelectedSuppression="FAT"),
            FrameAnatomySequence=record(AnatomicRegionSequence=code("10200004", meaning="Liver")),
            CardiacSynchronizationSequence=record(NominalCardiacTriggerDelayTime=12.0),
        ),
        ContrastBolusAgentSequence=code("C", meaning="Gadobutrol"),
        PerFrameFunctionalGroupsSequence=own,
    )


def test_an_enhanced_image_has_the_same_record_with_many_frames() -> None:
    instance = read_instance(enhanced(), "key")
    first, second = instance.frames
    assert (first.number, second.number) == (1, 2)
    assert (first.position, second.position) == ((-10, -20, 0), (-10, -20, 3))
    assert (second.orientation, second.spacing) == (tuple(AXIAL), (1.5, 1.2))
    assert second.acquired_at == datetime.fromisoformat("2024-03-02T10:11:11.250000")
    assert (second.temporal_position, second.acquisition_number, second.stack_id) == (2, 6, "1")
    assert (second.echo_time, second.inversion_time, second.b_value, second.trigger_time) == (1.8, 180.0, 50.0, 12.0)
    assert second.image_type == ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "MAGNITUDE")
    made = instance.acquisition
    assert (made.scanning_sequence, made.scan_options) == (("GR", "EP", "IR"), ("FS",))
    assert (made.repetition_time, made.flip_angle, made.echo_train_length) == (5.0, 12.0, 4)
    assert (made.contrast_agent, instance.body_part, instance.slice_thickness) == ("Gadobutrol", "Liver", 3.0)


def test_an_enhanced_image_says_whether_the_agent_was_in() -> None:
    dataset = enhanced()
    usage = record(
        ContrastBolusUsageSequence=record(ContrastBolusAgentAdministered="NO", ContrastBolusAgentPhase="PRE_CONTRAST")
    )
    dataset.SharedFunctionalGroupsSequence[0].update(usage)
    frame = read_instance(dataset, "key").frames[0]
    assert (frame.contrast_given, frame.contrast_phase) == (False, "PRE_CONTRAST")


def test_an_undirected_diffusion_frame_has_b_zero() -> None:
    dataset = enhanced()
    dataset.PerFrameFunctionalGroupsSequence[0].MRDiffusionSequence = [record(DiffusionDirectionality="NONE")]
    assert read_instance(dataset, "key").frames[0].b_value == 0.0


@pytest.mark.parametrize(
    ("creator", "group", "element", "value", "expected"),
    [
        ("SIEMENS MR HEADER", 0x0019, 0x0C, ("IS", 800), 800.0),
        ("Philips Imaging DD 001", 0x2001, 0x03, ("FL", 600.0), 600.0),
        ("GEMS_PARM_01", 0x0043, 0x39, ("IS", [1000000500, 8, 0, 0]), 500.0),
    ],
)
def test_the_b_value_is_read_from_the_private_elements_of_the_vendors(
    creator: str, group: int, element: int, value: tuple[str, Any], expected: float
) -> None:
    dataset = classic()
    dataset.private_block(group, creator, create=True).add_new(element, *value)
    assert read_instance(dataset, "key").frames[0].b_value == expected


def test_ge_says_privately_that_an_image_is_no_magnitude() -> None:
    dataset = classic(Manufacturer="GE MEDICAL SYSTEMS", ImageType=["ORIGINAL", "PRIMARY", "OTHER"])
    dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)
    assert read_instance(dataset, "key").frames[0].image_type[-1] == "PHASE"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"AcquisitionDateTime": "20240302101112"}, "2024-03-02T10:11:12"),
        ({"AcquisitionTime": "101112", "SeriesDate": "20240302"}, "2024-03-02T10:11:12"),
        ({"AcquisitionTime": "1011", "StudyDate": "2024.03.02"}, "2024-03-02T10:11:00"),
        ({"ContentDate": "20240302", "ContentTime": "10:11:12"}, "2024-03-02T10:11:12"),
        ({"SeriesDate": "20240302", "SeriesTime": "10"}, "2024-03-02T10:00:00"),
        ({"AcquisitionDate": "***", "AcquisitionTime": "101112"}, None),
        ({"AcquisitionDate": "20241399", "AcquisitionTime": "101112"}, None),
        ({}, None),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_the_time_is_the_best_that_the_header_has(attributes: dict[str, str], expected: str | None) -> None:
    (frame,) = read_instance(header(**attributes), "key").frames
    assert frame.acquired_at == (datetime.fromisoformat(expected) if expected else None)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_object_without_its_uids_is_refused_with_the_name_of_the_missing_one(keyword: str) -> None:
    dataset = classic()
    delattr(dataset, keyword)
    with pytest.raises(Unusable, match=keyword):
        read_instance(dataset, "key")


def test_the_class_is_taken_from_the_file_meta_where_the_data_set_has_none() -> None:
    dataset = classic()
    dataset.SOPClassUID = ""
    assert read_instance(dataset, "key").sop_class_uid == "1.2.840.10008.5.1.4.1.1.4"


def test_other_objects_have_no_frames() -> None:
    assert read_instance(header("1.2.840.10008.5.1.4.1.1.2", "CT"), "key").frames == ()


@pytest.mark.filterwarnings("ignore:The value length")
def test_what_is_no_number_counts_as_absent_and_texts_are_cut() -> None:
    dataset = classic(SeriesDescription="x" * 100_000, PixelSpacing=[0.0, 1.0])
    del dataset.ImagePositionPatient
    dataset.add_new(0x00200032, "LO", ["a", "b", "c"])
    dataset.add_new(0x00280010, "LO", "many")
    instance = read_instance(dataset, "key")
    assert (instance.rows, len(instance.series_description)) == (0, 256)
    assert (instance.frames[0].position, instance.frames[0].spacing) == (None, None)


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=200, deadline=None)
@given(
    tags=st.lists(
        st.sampled_from([0x00080032, 0x00180050, 0x00180081, 0x00200013, 0x00200032, 0x00200037, 0x00280010, 0x00280030]),
        unique=True,
    ),
    vr=st.sampled_from(["LO", "UN", "DS", "IS", "UT"]),
    data=st.binary(max_size=40),
)
def test_no_bytes_in_any_attribute_raise_anything_but_unusable(tags: list[int], vr: str, data: bytes) -> None:
    """Raw elements as they come off the wire, converted only when they are looked at."""
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    dataset = classic()
    for tag in tags:
        dataset._dict[Tag(tag)] = RawDataElement(Tag(tag), vr, len(data), data, 0, False, True, True)
    instance = read_instance(dataset, "key")
    assert instance.sop_instance_uid == "1.2.3.4"

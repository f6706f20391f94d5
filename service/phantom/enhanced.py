"""A phase as one Enhanced MR object (PS3.3 A.36)."""

from __future__ import annotations

from typing import Any

from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage

from service.phantom.headers import (
    STORED_PER_UNIT,
    add_pixels,
    add_series,
    new_object,
    orientation,
    position,
    stored_values,
)
from service.phantom.patient import PhantomPatient
from service.phantom.story import PROTOCOLS, Protocol, Story
from service.phantom.uids import derive_uid
from service.study.model import Role
from service.volumes.volume import Volume

TYPE = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]


def enhanced_series(patient: PhantomPatient, story: Story, role: Role) -> Dataset:
    """All slices of a phase in one object."""
    volume = patient.phases[role]
    item = new_object(patient, story, EnhancedMRImageStorage, "enhanced", role)
    add_series(item, patient, story, role, kind="enhanced")
    del item.AcquisitionDate, item.AcquisitionTime
    item.InstanceNumber = 1
    item.NumberOfFrames = volume.shape[0]
    _add_image(item, story, role)
    _add_pulse_sequence(item, PROTOCOLS[role])
    if PROTOCOLS[role].contrast:
        _add_bolus(item)
    _add_dimensions(item, patient)
    item.SharedFunctionalGroupsSequence = [_shared(volume, PROTOCOLS[role])]
    item.PerFrameFunctionalGroupsSequence = [_frame(volume, story, role, k) for k in range(volume.shape[0])]
    add_pixels(item, stored_values(volume))
    return item


def _add_image(item: Dataset, story: Story, role: Role) -> None:
    item.ImageType = TYPE
    item.AcquisitionDateTime = story.acquired_at(role).strftime("%Y%m%d%H%M%S")
    item.AcquisitionDuration = 16.0
    item.AcquisitionContrast = "T2" if role is Role.T2 else "T1"
    item.AcquisitionContextSequence = []
    item.ContentQualification = "RESEARCH"
    item.ResonantNucleus = "1H"
    item.KSpaceFiltering = "NONE"
    item.MagneticFieldStrength = 3.0
    item.ApplicableSafetyStandardAgency = "IEC"
    item.PixelPresentation = "MONOCHROME"
    item.VolumetricProperties = "VOLUME"
    item.VolumeBasedCalculationTechnique = "NONE"
    item.ComplexImageComponent = "MAGNITUDE"
    item.BurnedInAnnotation = "NO"
    item.LossyImageCompression = "00"
    item.PresentationLUTShape = "IDENTITY"
    item.IsocenterPosition = [0.0, 0.0, 0.0]
    item.B1rms = 1.0


def _add_pulse_sequence(item: Dataset, protocol: Protocol) -> None:
    item.PulseSequenceName = "*fl3d1" if protocol.sequence == "GR" else "*tse2d1_17"
    item.MRAcquisitionType = protocol.acquisition_type
    item.EchoPulseSequence = "GRADIENT" if protocol.sequence == "GR" else "SPIN"
    item.MultiPlanarExcitation = "NO"
    item.PhaseContrast = "NO"
    item.TimeOfFlightContrast = "NO"
    item.SteadyStatePulseSequence = "NONE"
    item.EchoPlanarPulseSequence = "NO"
    item.SaturationRecovery = "NO"
    item.SpectrallySelectedSuppression = "FAT"
    item.OversamplingPhase = "NONE"
    item.GeometryOfKSpaceTraversal = "RECTILINEAR"
    item.RectilinearPhaseEncodeReordering = "LINEAR"
    item.SegmentedKSpaceTraversal = "PARTIAL"
    item.NumberOfKSpaceTrajectories = 1
    if protocol.acquisition_type == "3D":
        item.CoverageOfKSpace = "FULL"
    if protocol.sequence != "GR":
        item.MultipleSpinEcho = "YES"


def _add_bolus(item: Dataset) -> None:
    agent = _coded("426722004", "Gadobutrol")
    agent.ContrastBolusAgentNumber = 1
    agent.ContrastBolusIngredientCodeSequence = [_coded("14458001", "Gadolinium")]
    agent.ContrastBolusAdministrationRouteSequence = [_coded("47625008", "Intravenous route")]
    agent.ContrastBolusVolume = "7.5"
    agent.ContrastBolusIngredientConcentration = 1.0
    item.ContrastBolusAgentSequence = [agent]


def _add_dimensions(item: Dataset, patient: PhantomPatient) -> None:
    organization = derive_uid(patient.recipe, "dimensions")
    item.DimensionOrganizationSequence = [_dataset(DimensionOrganizationUID=organization)]
    item.DimensionOrganizationType = "3D"
    in_stack = _dataset(
        DimensionOrganizationUID=organization,
        DimensionIndexPointer=0x00209057,
        FunctionalGroupPointer=0x00209111,
        DimensionDescriptionLabel="In-Stack Position Number",
    )
    item.DimensionIndexSequence = [in_stack]


def _shared(volume: Volume, protocol: Protocol) -> Dataset:
    between, row, column = volume.spacing
    region = _coded("10200004", "Liver")
    return _dataset(
        PixelMeasuresSequence=[
            _dataset(
                PixelSpacing=[f"{row:.6g}", f"{column:.6g}"],
                SliceThickness=f"{between:.6g}",
                SpacingBetweenSlices=f"{between:.6g}",
            )
        ],
        PlaneOrientationSequence=[_dataset(ImageOrientationPatient=orientation(volume))],
        FrameAnatomySequence=[_dataset(AnatomicRegionSequence=[region], FrameLaterality="U")],
        MRImageFrameTypeSequence=[_frame_type(protocol)],
        PixelValueTransformationSequence=[
            _dataset(RescaleIntercept="0", RescaleSlope=f"{1 / STORED_PER_UNIT:g}", RescaleType="US")
        ],
        **_acquisition(volume, protocol),
    )


def _frame_type(protocol: Protocol) -> Dataset:
    return _dataset(
        FrameType=TYPE,
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="T1" if protocol.sequence == "GR" else "T2",
    )


def _acquisition(volume: Volume, protocol: Protocol) -> dict[str, Any]:
    timing = _dataset(
        RepetitionTime=f"{protocol.repetition_time:g}",
        FlipAngle=f"{protocol.flip_angle:g}",
        EchoTrainLength=protocol.echo_train,
        RFEchoTrainLength=0 if protocol.sequence == "GR" else protocol.echo_train,
        GradientEchoTrainLength=1 if protocol.sequence == "GR" else 0,
        SpecificAbsorptionRateSequence=[
            _dataset(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=1.0)
        ],
        GradientOutputType="DB_DT",
        GradientOutput=10.0,
        OperatingModeSequence=[_dataset(OperatingModeType="STATIC FIELD", OperatingMode="IEC_NORMAL")],
    )
    return {
        "MRTimingAndRelatedParametersSequence": [timing],
        "MREchoSequence": [_dataset(EffectiveEchoTime=protocol.echo_time)],
        "MRModifierSequence": [_modifier()],
        "MRImagingModifierSequence": [_imaging_modifier()],
        "MRFOVGeometrySequence": [_field_of_view(volume)],
        "MRReceiveCoilSequence": [_receive_coil()],
        "MRTransmitCoilSequence": [_dataset(TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY")],
        "MRAveragesSequence": [_dataset(NumberOfAverages="1")],
    }


def _modifier() -> Dataset:
    return _dataset(
        InversionRecovery="NO",
        FlowCompensation="NONE",
        Spoiling="RF",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )


def _imaging_modifier() -> Dataset:
    return _dataset(
        MagnetizationTransfer="NONE", BloodSignalNulling="NO", Tagging="NONE", TransmitterFrequency=123.25, PixelBandwidth="490"
    )


def _field_of_view(volume: Volume) -> Dataset:
    _, rows, columns = volume.shape
    return _dataset(
        InPlanePhaseEncodingDirection="COLUMN",
        MRAcquisitionFrequencyEncodingSteps=columns,
        MRAcquisitionPhaseEncodingStepsInPlane=rows,
        MRAcquisitionPhaseEncodingStepsOutOfPlane=volume.shape[0],
        PercentSampling="100",
        PercentPhaseFieldOfView="100",
    )


def _receive_coil() -> Dataset:
    return _dataset(
        ReceiveCoilName="BODY_18", ReceiveCoilManufacturerName="", ReceiveCoilType="SURFACE", QuadratureReceiveCoil="NO"
    )


def _frame(volume: Volume, story: Story, role: Role, k: int) -> Dataset:
    when = story.acquired_at(role).strftime("%Y%m%d%H%M%S")
    content = _dataset(
        FrameAcquisitionNumber=1,
        FrameReferenceDateTime=when,
        FrameAcquisitionDateTime=when,
        FrameAcquisitionDuration=16000.0,
        StackID="1",
        InStackPositionNumber=k + 1,
        DimensionIndexValues=[k + 1],
    )
    frame = _dataset(FrameContentSequence=[content], PlanePositionSequence=[_dataset(ImagePositionPatient=position(volume, k))])
    if PROTOCOLS[role].contrast:
        usage = _dataset(ContrastBolusAgentNumber=1, ContrastBolusAgentAdministered="YES", ContrastBolusAgentDetected="YES")
        frame.ContrastBolusUsageSequence = [usage]
    return frame


def _coded(value: str, meaning: str) -> Dataset:
    return _dataset(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)


def _dataset(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item

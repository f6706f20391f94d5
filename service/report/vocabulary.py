"""The concepts that only output objects use: names of template rows, segment categories, our own questions.

Source: DICOM PS3.16 TID 1500, 1411, 1419, 1004, 1204, 1600, 4019; CID 7150.
"""

from __future__ import annotations

from service.codes import Code, ours


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


# Document.
MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
PROCEDURE_REPORTED = _dcm("121058", "Procedure reported")
MRI = Code("25056-3", "LN", "MRI unspecified body region")
IMAGING_MEASUREMENTS = _dcm("126010", "Imaging Measurements")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")

# Who observed.
OBSERVER_TYPE = _dcm("121005", "Observer Type")
DEVICE = _dcm("121007", "Device")
DEVICE_OBSERVER_UID = _dcm("121012", "Device Observer UID")
DEVICE_OBSERVER_NAME = _dcm("121013", "Device Observer Name")
DEVICE_OBSERVER_MANUFACTURER = _dcm("121014", "Device Observer Manufacturer")
DEVICE_OBSERVER_MODEL = _dcm("121015", "Device Observer Model Name")

# Images.
IMAGE_LIBRARY = _dcm("111028", "Image Library")
IMAGE_LIBRARY_GROUP = _dcm("126200", "Image Library Group")
MODALITY = _dcm("121139", "Modality")
MAGNETIC_RESONANCE = _dcm("MR", "Magnetic Resonance")
FRAME_OF_REFERENCE = _dcm("112227", "Frame of Reference UID")
SOURCE = _sct("260753009", "Source")

# Measurement group.
MEASUREMENT_GROUP = _dcm("125007", "Measurement Group")
TRACKING_IDENTIFIER = _dcm("112039", "Tracking Identifier")
TRACKING_UID = _dcm("112040", "Tracking Unique Identifier")
FINDING = _dcm("121071", "Finding")
FINDING_SITE = _sct("363698007", "Finding Site")
REFERENCED_SEGMENT = _dcm("121191", "Referenced Segment")
SOURCE_OF_MEASUREMENT = _dcm("121112", "Source of Measurement")
SOURCE_SERIES = _dcm("121232", "Source series for segmentation")

# Measurement.
EQUIVALENT_NAME = _dcm("121050", "Equivalent Meaning of Concept Name")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
COMMENT = _dcm("121106", "Comment")

# Segments.
ABNORMAL_STRUCTURE = _sct("49755003", "Morphologically Abnormal Structure")
ANATOMICAL_STRUCTURE = _sct("91723000", "Anatomical Structure")
SPATIAL_CONCEPT = _sct("309825002", "Spatial and Relational Concept")
MARGIN_0 = ours("MARGINBAND0", "Ablation margin of 0 mm or less")
MARGIN_3 = ours("MARGINBAND3", "Ablation margin of more than 0 to 3 mm")
MARGIN_5 = ours("MARGINBAND5", "Ablation margin of more than 3 to 5 mm")
MARGIN_10 = ours("MARGINBAND10", "Ablation margin of more than 5 to 10 mm")
VESSEL_PATH = ours("VESSELPATH", "Path of a vessel through the ablation margin")
TUMOR_OUTSIDE_ZONE = ours("TUMOROUTSIDE", "Tumor outside the ablation zone")

# Our own questions.
ASSESSMENT = ours("ASSESSMENT", "Assessment of the ablation margin")
VERDICT = ours("VERDICT", "Result in one sentence")
CONDITION = ours("CONDITION", "Condition of use")
WARNING = ours("WARNING", "Limitation of this result")
PHASE = ours("PHASE", "Phase of the study")
CONTOURS = ours("CONTOURS", "Origin of contours")
REASON = ours("REASON", "Reason")
INTERVAL = ours("INTERVAL95", "95 percent interval")
LOWER_END = ours("LOWER95", "Lower end of 95 percent interval")
UPPER_END = ours("UPPER95", "Upper end of 95 percent interval")
MEASURED_CONCEPT = ours("INTERVALOF", "Measurement of this interval")
PATH_LENGTH = ours("VESSELPATHLEN", "Length of the vessel path in the margin")
PLACE = ours("PLACE", "Place, LPS mm")
LITERATURE = ours("SOURCE", "Source of the definition")

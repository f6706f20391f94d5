"""Findings become DICOM objects: one result record fills them all. Pure: no clock, no random."""

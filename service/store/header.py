"""What the store must know of an instance, however its header was read."""

from __future__ import annotations

from typing import Protocol


class HeaderLike(Protocol):
    """What the store must know of an instance; `reason_ignored` is empty when it takes part in the analysis."""

    @property
    def study_instance_uid(self) -> str:
        """StudyInstanceUID."""
        ...

    @property
    def series_instance_uid(self) -> str:
        """SeriesInstanceUID."""
        ...

    @property
    def sop_instance_uid(self) -> str:
        """SOPInstanceUID."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """SOPClassUID."""
        ...

    @property
    def transfer_syntax_uid(self) -> str:
        """TransferSyntaxUID of the stored bytes."""
        ...

    @property
    def modality(self) -> str:
        """Modality."""
        ...

    @property
    def series_number(self) -> int | None:
        """SeriesNumber."""
        ...

    @property
    def series_description(self) -> str:
        """SeriesDescription."""
        ...

    @property
    def patient_id(self) -> str:
        """PatientID."""
        ...

    @property
    def reason_ignored(self) -> str:
        """One sentence, or empty."""
        ...

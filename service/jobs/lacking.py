"""Which series that a rule asks for a study does not hold: told from headers alone, before anything is analysed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from service.dicom.read import read_instances
from service.errors import Unusable
from service.options import AnalysisOptions
from service.study.assemble import assemble
from service.study.required import Groups, missing_roles
from service.study.roles import assign_roles


def lacking(paths: Sequence[Path], options: AnalysisOptions, required: Groups) -> str:
    """The roles of which no series is there, in words; "" when none lacks, or when the analysis has to say what is wrong."""
    instances, _unreadable = read_instances(paths)
    try:
        study = assemble(instances)
    except Unusable:
        return ""
    return missing_roles(required, {guess.role.value for guess in assign_roles(study, options.roles).values()})

"""A real abdominal MR with a tumor, an ablation zone and a vessel of known truth put into its liver."""

from __future__ import annotations

from collections.abc import Mapping

import nibabel as nib
import numpy as np

from service.phantom.implant import implant
from service.phantom.patient import PhantomPatient
from service.phantom.recipe import Wish
from service.phantom.signals import Tissue
from service.phantom.synthesise import synthesise
from service.volumes.volume import Volume
from tests.peers import real_data

# Labels of the collection: 5 liver, 23 aorta, 24 inferior vena cava, 25 portal and splenic vein.
LABELS = {Tissue.LIVER: (5,), Tissue.ARTERY: (23,), Tissue.VEIN: (24, 25)}


def semi_real(seed: int, wish: Wish, *, at_border: bool = False) -> PhantomPatient:
    """The patient; whatever real anatomy and noise there is around the lesion stays."""
    volume, labels = _abdomen()
    return implant(synthesise(volume, labels, seed), labels[Tissue.LIVER], seed, wish, at_border=at_border)


def _abdomen() -> tuple[Volume, Mapping[Tissue, Volume]]:
    """Image and masks, from RAS NIfTI to our LPS volumes."""
    folder = real_data("liver", "TotalSegmentator", "tests", "reference_files")
    image, labels = (nib.load(folder / name) for name in ("example_mr_sm.nii.gz", "example_seg_mr.nii.gz"))
    affine = (np.diag([-1.0, -1, 1, 1]) @ image.affine)[:, [2, 1, 0, 3]]
    numbers = np.asarray(labels.dataobj).T
    volume = Volume(np.ascontiguousarray(np.asarray(image.dataobj).T, dtype=np.float32), affine)
    return volume, {tissue: volume.with_values(np.isin(numbers, which).astype(np.float32)) for tissue, which in LABELS.items()}

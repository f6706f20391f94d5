"""Contours by a network that the hospital has: what it is given, and what of its answer is taken, as soft masks.

Nothing here loads or runs anything: a prediction comes in as a function. Which labels mean what, and what the network was
trained on, its manifest says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from service.errors import Unusable
from service.regions.region import Exam, Kind, Region, Regions
from service.study.model import Role, Vector
from service.volumes.resampling import resample
from service.volumes.volume import Array, Volume

SMALLEST = 0.05  # mL; less is a speck
ONE = frozenset({Kind.LIVER, Kind.VESSEL, Kind.GALLBLADDER})  # of which there is one in a patient, in however many parts

Predict = Callable[[Sequence[Volume]], Mapping[int, Volume]]
"""Channels on one grid in, the probability (0-1) of each label out, on any grid in the same frame of reference."""

Run = Callable[[Array], Array]
"""A tensor (1, channel, k, j, i) in, (1, label, k, j, i) out."""

Normalisation = Literal["none", "zscore", "percentile"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a network is.

    `channels` are the phases it is given, in its order; `labels` what its numbers mean. For a tensor `spacing` is its grid
    (slice, row, column; mm; None: that of the images), `multiple` what its sides must be multiples of, and `output` whether it
    answers in logits or probabilities. `trained_on` is "untreated" where it never saw an ablated liver.
    """

    name: str
    version: str
    channels: tuple[Role, ...]
    labels: Mapping[int, Kind]
    trained_on: Literal["treated", "untreated"]
    spacing: Vector | None = None
    normalisation: Normalisation = "zscore"
    multiple: int = 1
    output: Literal["logits", "probabilities"] = "logits"


def segment(exam: Exam, manifest: Manifest, predict: Predict) -> Regions:
    """The regions that the network finds, on the grid of the reference phase.

    Raises:
        Unusable: A phase that it needs is missing, or it finds nothing, or its answer is no probability.
    """
    reference = exam.phases[exam.reference]
    missing = [role.value.replace("_", " ") for role in manifest.channels if role not in exam.phases]
    if missing:
        raise Unusable("regions.network_input", f"The network {manifest.name} needs the {', '.join(missing)} phase.")
    soft = predict([_whole(exam.phases[role]) for role in manifest.channels])
    found = [
        region
        for label, kind in manifest.labels.items()
        if label in soft
        for region in _regions(kind, resample(_checked(soft[label], manifest), reference, outside=0.0), manifest)
    ]
    if not found:
        raise Unusable("regions.network_nothing", f"The network {manifest.name} found nothing.")
    return _together(found, manifest)


def on_tensors(manifest: Manifest, run: Run) -> Predict:
    """The prediction by a network that takes and gives tensors: resampled, normalised, padded, and back."""

    def predict(channels: Sequence[Volume]) -> Mapping[int, Volume]:
        grid = _grid(channels[0], manifest)
        values = np.stack([_normalised(resample(one, grid, outside=0.0).values, manifest.normalisation) for one in channels])
        answer = np.asarray(run(values[None].astype(np.float32)), dtype=np.float32)
        if answer.ndim != 5 or answer.shape[2:] != grid.shape or answer.shape[1] <= max(manifest.labels):
            raise Unusable("regions.network_output", f"The network {manifest.name} answers in another shape than its manifest.")
        parts = _probabilities(answer[0], manifest)
        return {label: grid.with_values(parts[label]) for label in manifest.labels}

    return predict


def _whole(volume: Volume) -> Volume:
    """Without the voxels that a phase does not cover: a network knows no NaN."""
    return volume.with_values(np.nan_to_num(volume.values, nan=0.0))


def _grid(volume: Volume, manifest: Manifest) -> Volume:
    """An empty grid over the volume with the network's spacing, its sides whole multiples."""
    spacing = np.array(manifest.spacing or volume.spacing)
    extent = np.array(volume.shape) * np.array(volume.spacing)
    shape = np.ceil(np.ceil(extent / spacing) / manifest.multiple).astype(int) * manifest.multiple
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] / np.array(volume.spacing) * spacing
    corner = volume.to_mm(np.full(3, -0.5))
    affine[:3, 3] = corner + affine[:3, :3] @ np.full(3, 0.5)
    return Volume(np.zeros(tuple(int(n) for n in shape), np.float32), affine, volume.frame_of_reference_uid)


def _normalised(values: Array, how: Normalisation) -> Array:
    if how == "none":
        return values
    if how == "percentile":
        low, high = np.percentile(values, [0.5, 99.5])
        return np.asarray(np.clip((values - low) / max(float(high - low), 1e-6), 0, 1), dtype=np.float32)
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-6), dtype=np.float32)


def _probabilities(answer: Array, manifest: Manifest) -> Array:
    if manifest.output == "probabilities":
        return answer
    powers = np.exp(answer - answer.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), dtype=np.float32)


def _checked(soft: Volume, manifest: Manifest) -> Volume:
    """A mask as it is; what is no probability is no contour."""
    values = soft.values
    if not np.isfinite(values).all() or values.min() < -1e-3 or values.max() > 1.001:
        raise Unusable("regions.network_output", f"The network {manifest.name} answers with numbers that are no probabilities.")
    return soft


def _regions(kind: Kind, soft: Volume, manifest: Manifest) -> list[Region]:
    """One region for each body that is large enough; all of a liver or of the vessels as one."""
    numbers, count = ndimage.label(soft.values > 0.5)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:] * soft.voxel_volume
    large = [number for number, size in enumerate(sizes, start=1) if size >= SMALLEST]
    if not large:
        return []
    bodies = [large] if kind in ONE else [[number] for number in large]
    return [_region(kind, _part(soft, np.isin(numbers, body)), manifest) for body in bodies]


def _part(soft: Volume, body: np.ndarray) -> Volume:
    """The body with its soft edge, and nothing of the others."""
    near = ndimage.binary_dilation(body, iterations=2)
    return soft.with_values(np.where(near, np.clip(soft.values, 0, 1), np.float32(0)).astype(np.float32))


def _region(kind: Kind, mask: Volume, manifest: Manifest) -> Region:
    whole = bool(np.isin(mask.values, (0.0, 1.0)).all())
    return Region(kind, mask, f"network: {manifest.name} {manifest.version}", binary=whole, label=kind.value.replace("_", " "))


def _together(found: Sequence[Region], manifest: Manifest) -> Regions:
    of_kind = {kind: tuple(region for region in found if region.kind is kind) for kind in Kind}
    flagged = manifest.trained_on == "untreated" and bool(of_kind[Kind.TUMOR])
    note = (
        f"The tumor's contour is by the network {manifest.name}, which was trained on untreated lesions: "
        "inside an ablation zone nobody knows how right it is. Check it on the images."
    )
    return Regions(
        liver=next(iter(of_kind[Kind.LIVER]), None),
        zones=of_kind[Kind.ABLATION_ZONE],
        tumors=of_kind[Kind.TUMOR],
        vessels=next(iter(of_kind[Kind.VESSEL]), None),
        gallbladder=next(iter(of_kind[Kind.GALLBLADDER]), None),
        reasons={
            kind: f"The network {manifest.name} found no {kind.value.replace('_', ' ')}."
            for kind in set(manifest.labels.values())
            if not of_kind[kind]
        },
        notes=(note,) if flagged else (),
    )

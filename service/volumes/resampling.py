"""A volume on another grid."""

from __future__ import annotations

from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813 - everybody knows it by this name

from service.volumes.volume import Array, Matrix, Volume

Interpolation = Literal["linear", "bspline"]


def resample(
    volume: Volume,
    onto: Volume,
    *,
    motion: Matrix | None = None,
    interpolation: Interpolation = "linear",
    outside: float = np.nan,
) -> Volume:
    """`volume` at the voxels of `onto`; `motion` (4x4, LPS mm) takes a point of `onto` to its place in `volume`.

    Voxels that `volume` does not cover become `outside`. The same grid without motion is given back as it is.
    """
    if motion is None or np.array_equal(motion, np.eye(4)):
        if volume.same_grid(onto):
            return volume
        motion = np.eye(4)
    back = np.linalg.inv(volume.affine) @ motion @ onto.affine
    values = _interpolate(volume.values, back, onto.shape, interpolation, outside)
    return Volume(values, onto.affine, onto.frame_of_reference_uid)


def extended(volume: Volume, onto: Volume, motion: Matrix) -> Volume:
    """The same, linear; beyond its edges `volume` goes on with the value of its nearest voxel."""
    back = np.linalg.inv(volume.affine) @ motion @ onto.affine
    return onto.with_values(_interpolate(volume.values, back, onto.shape, "linear", None))


def _interpolate(values: Array, back: Matrix, shape: tuple[int, int, int], how: Interpolation, outside: float | None) -> Array:
    """Values at index `back` @ (k, j, i, 1). SimpleITK sees plain arrays of index space: it never learns of patients."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(values, dtype=np.float32))
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(back[2::-1, 2::-1].ravel().tolist())
    transform.SetTranslation(back[2::-1, 3].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetNumberOfThreads(1)
    resampler.SetSize([int(n) for n in shape[::-1]])
    resampler.SetTransform(transform)
    resampler.SetInterpolator(sitk.sitkLinear if how == "linear" else sitk.sitkBSpline)
    if outside is None:
        resampler.SetUseNearestNeighborExtrapolator(True)
    else:
        resampler.SetDefaultPixelValue(outside)
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(image)), dtype=np.float32)

"""Cuts through the patient: planes of the patient's axes, whichever way the slices of the images run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.volumes.volume import Matrix, Volume

STEP = 0.25  # mm between samples of a cut


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A plane as radiologists look at it: which way (LPS) is `right` and `up` in the picture, and the letters at its edges."""

    name: str
    right: tuple[float, float, float]
    up: tuple[float, float, float]
    letters: tuple[str, str, str, str]  # left, right, bottom, top

    def flat(self, offsets: Matrix) -> Matrix:
        """Offsets (..., 3) in LPS mm as offsets (..., 2) to the right and up in the picture, mm."""
        return np.asarray(offsets @ np.array([self.right, self.up]).T)


AXIAL = View("axial", (1.0, 0.0, 0.0), (0.0, -1.0, 0.0), ("R", "L", "P", "A"))  # from the feet
CORONAL = View("coronal", (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), ("R", "L", "F", "H"))  # from the front
SAGITTAL = View("sagittal", (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), ("A", "P", "F", "H"))  # from the patient's left
VIEWS = (AXIAL, CORONAL, SAGITTAL)


def cut(view: View, through: Matrix, center: Matrix, half: float) -> Volume:
    """An empty volume of one slice: the plane of `view` that holds `through`, `half` mm to each side of `center` (LPS mm).

    Rows run up and columns to the right in the picture.
    """
    right, up = np.array(view.right), np.array(view.up)
    normal = np.cross(right, up)
    count = 2 * round(half / STEP) + 1
    affine = np.eye(4)
    affine[:3, :3] = np.stack([normal, up * STEP, right * STEP], axis=1)
    middle = center + normal * np.dot(through - center, normal)
    affine[:3, 3] = middle - (right + up) * STEP * (count // 2)
    return Volume(np.zeros((1, count, count), np.float32), affine)


def positions(plane: Volume) -> Matrix:
    """LPS mm of all samples of a cut, (rows, columns, 3)."""
    _, rows, columns = plane.shape
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    return plane.to_mm(np.stack([np.zeros_like(row), row, column], axis=-1))

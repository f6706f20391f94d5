"""What other programs measure as the minimum ablation margin, each from whole voxels: the benchmark prints them beside ours.

Every peer is given the same two masks, tumor and untreated liver, and answers in mm, negative when tumor lies in untreated
liver. Those of other people are in the dependency group `bench`: `uv run --group bench ...`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]
Measure = Callable[[Mask, Mask, Spacing], float]


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to measure: `title` for the table, `measure(tumor, untreated, spacing)`, spacing (k, j, i) in mm.

    `needs` is the module of the group `bench` without which it cannot run, "" for those that are written out here.
    """

    title: str
    measure: Measure
    needs: str = ""

    @property
    def installed(self) -> bool:
        """Whether it can run here."""
        return not self.needs or find_spec(self.needs) is not None


def voxel_distance(tumor: Mask, untreated: Mask, spacing: Spacing) -> float:
    """Plain Euclidean distance transform: from centers of tumor voxels to centers of the nearest untreated voxels.

    Where tumor lies in untreated liver the deepest such voxel counts, by its distance to the nearest treated one, negative.

    Raises:
        ValueError: when there is no tumor, or nothing or everything is untreated: no distance exists then.
    """
    _refuse_empty(tumor, untreated)
    if (tumor & untreated).any():
        return -_depth(tumor, untreated, spacing)
    return float(ndimage.distance_transform_edt(~untreated, sampling=spacing)[tumor].min())


def border_voxels(tumor: Mask, untreated: Mask, spacing: Spacing) -> float:
    """From the border voxels of the tumor to those of the zone, centers, negative for the ones that are untreated.

    Border voxels belong to the body and share a face with what is not the body; those of the zone are treated voxels beside
    untreated liver. (QAM itself takes the whole border of the zone and leaves out what lies near the capsule.)

    Raises:
        ValueError: as `voxel_distance`.

    Source: Sandu et al. 2021, Front Oncol 11:623098 (quantitative ablation margins, QAM): the signed distance map of the
    zone's border, read at the border of the tumor.
    """
    _refuse_empty(tumor, untreated)
    away = ndimage.distance_transform_edt(~_border(~untreated), sampling=spacing)
    signed = np.where(untreated, -away, away)
    return float(signed[_border(tumor)].min())


def surface_elements(tumor: Mask, untreated: Mask, spacing: Spacing) -> float:
    """DeepMind's surface-distance: from the tumor's surface elements, at voxel corners, to those of untreated liver.

    The package knows no sign and does not say where a distance is. So with tumor in untreated liver the part that lies there
    is handed over in place of the tumor, and its largest distance is how deep it lies. What is untreated at the edge of the
    masks goes on beyond it far enough that the edge is no surface.

    Raises:
        ValueError: as `voxel_distance`.
        ModuleNotFoundError: without the group `bench`.

    Source: Nikolov et al. 2021, J Med Internet Res 23:e26151; https://github.com/google-deepmind/surface-distance.
    """
    _refuse_empty(tumor, untreated)
    with warnings.catch_warnings():
        # The package calls scipy by names that scipy has moved.
        warnings.simplefilter("ignore", DeprecationWarning)
        compute = _bench("surface_distance").compute_surface_distances
        left = tumor & untreated
        if left.any():
            room = _room(tumor, untreated, spacing)
            found = compute(np.pad(left, room), np.pad(untreated, room, mode="edge"), spacing)
            return -float(found["distances_gt_to_pred"].max())
        return float(compute(tumor, untreated, spacing)["distances_gt_to_pred"].min())


def mesh_centroids(tumor: Mask, untreated: Mask, spacing: Spacing) -> float:
    """The recipe of MeshMetrics: surface nets without smoothing, from the centroids of the tumor's triangles to the other mesh.

    The sign is that of the mesh of untreated liver: negative within it. What is untreated at the edge of the masks goes on
    beyond it far enough that the edge is no surface.

    Raises:
        ValueError: as `voxel_distance`.
        ModuleNotFoundError: without the group `bench`.

    Source: Podobnik and Vrtovec 2025, arXiv:2509.05670, written from its description.
    """
    _refuse_empty(tumor, untreated)
    room = _room(tumor, untreated, spacing)
    centroids = _centroids(_surface_net(np.pad(tumor, room), spacing))
    distance = _bench("vtkmodules.vtkFiltersCore").vtkImplicitPolyDataDistance()
    distance.SetInput(_surface_net(np.pad(untreated, room, mode="edge"), spacing))
    return float(min(distance.FunctionValue(point) for point in centroids))


PEERS: Mapping[str, Peer] = MappingProxyType(
    {
        "edt": Peer("distance transform of voxels", voxel_distance),
        "border": Peer("border voxels (QAM)", border_voxels),
        "surface-distance": Peer("surface-distance (DeepMind)", surface_elements, "surface_distance"),
        "meshmetrics": Peer("MeshMetrics' recipe", mesh_centroids, "vtkmodules"),
    }
)


def _refuse_empty(tumor: Mask, untreated: Mask) -> None:
    if not tumor.any() or not untreated.any() or untreated.all():
        raise ValueError("There is no tumor, or nothing or everything is untreated: no distance exists.")


def _border(body: Mask) -> Mask:
    """Voxels of the body that share a face with another voxel; the edge of the mask is no border."""
    return body & ~np.asarray(ndimage.binary_erosion(body, border_value=1), dtype=np.bool_)


def _depth(tumor: Mask, untreated: Mask, spacing: Spacing) -> float:
    """How far the deepest tumor voxel in untreated liver is from a treated one, mm; 0 without such tumor."""
    return float((ndimage.distance_transform_edt(untreated, sampling=spacing) * tumor).max())


def _room(tumor: Mask, untreated: Mask, spacing: Spacing) -> list[tuple[int, int]]:
    """How many voxels to add at each side, so that no false surface there is nearer than the true one."""
    depth = _depth(tumor, untreated, spacing)
    return [(count, count) for count in (int(np.ceil(depth / size)) + 1 for size in spacing)]


def _bench(module: str) -> Any:
    """A module of the group `bench`; there are no types of these."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{module} is not installed: uv run --group bench ...", name=error.name) from error


def _surface_net(body: Mask, spacing: Spacing) -> Any:
    """The closed triangle mesh (x, y, z mm from the first voxel) around the body, by surface nets without smoothing."""
    image = _bench("vtkmodules.vtkCommonDataModel").vtkImageData()
    padded = np.pad(body, 1)
    image.SetDimensions(*padded.shape[::-1])
    image.SetSpacing(*spacing[::-1])
    to_vtk = _bench("vtkmodules.util.numpy_support").numpy_to_vtk
    image.GetPointData().SetScalars(to_vtk(padded.astype(np.uint8).ravel(), deep=True))
    net = _bench("vtkmodules.vtkFiltersCore").vtkSurfaceNets3D()
    net.SetInputData(image)
    net.SetValue(0, 1)
    net.SmoothingOff()
    net.SetOutputMeshTypeToTriangles()
    net.Update()
    return net.GetOutput()


def _centroids(mesh: Any) -> NDArray[np.float64]:
    """The middle (n, 3) of each triangle."""
    to_numpy = _bench("vtkmodules.util.numpy_support").vtk_to_numpy
    corners = to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return np.asarray(to_numpy(mesh.GetPoints().GetData())[corners].mean(axis=1), dtype=np.float64)

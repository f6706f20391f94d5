"""Networks in a folder of this machine: an ONNX model, or an installed program that is called. Nothing is downloaded.

The folder holds `manifest.json` (see docs/operators.md). Whatever goes wrong is `Unusable`, so that the next way to contours is
tried; the analysis process is the place for native code that may crash.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813 - everybody knows it by this name
from pydantic import TypeAdapter, ValidationError

from service.errors import Unusable
from service.jobs.limits import with_parent
from service.regions.network import Manifest, Predict, on_tensors, segment
from service.regions.region import Exam, Regions
from service.regions.table import Segmenter
from service.volumes.volume import Array, Volume

MANIFEST = "manifest.json"
NOWHERE = "http://127.0.0.1:9"  # the discard port: a program that wants to download meets a closed door

# How each program is called: `{input}` is one NIfTI file, in `{inputs}`; `{output}` a file to be made in `{outputs}`.
_CALLS: Mapping[str, tuple[str, ...]] = {
    "totalsegmentator": ("TotalSegmentator", "-i", "{input}", "-o", "{output}", "--ml", "--task", "{task}", "--quiet"),
    "mrsegmentator": ("mrsegmentator", "--input", "{input}", "--outdir", "{outputs}"),
    "nnunet": ("nnUNetv2_predict", "-i", "{inputs}", "-o", "{outputs}", "-d", "{task}", "-c", "{configuration}"),
}
# Where each one looks for weights, as its documentation says.
_WEIGHTS: Mapping[str, str] = {
    "totalsegmentator": "TOTALSEG_WEIGHTS_PATH",
    "mrsegmentator": "MRSEG_WEIGHTS_PATH",
    "nnunet": "nnUNet_results",
}


@dataclass(frozen=True, slots=True)
class Installed:
    """How a network is reached: `weights` and `model` are relative to the folder of the manifest.

    `command` replaces the usual call of the program; its words may hold {input}, {inputs}, {output}, {outputs}, {task}.
    """

    kind: Literal["onnx", "totalsegmentator", "mrsegmentator", "nnunet"]
    model: str = "model.onnx"
    weights: str = "weights"
    task: str = "total_mr"
    configuration: str = "3d_fullres"
    command: tuple[str, ...] = ()
    timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Description:
    """The content of `manifest.json`: what the network is, and how it is reached."""

    network: Manifest
    installed: Installed = field(default_factory=lambda: Installed("onnx"))


_DESCRIPTION = TypeAdapter(Description)


def load_network(folder: str) -> Segmenter:
    """The segmenter of the network in a folder; what is wrong with the folder is said when it is asked."""

    def asked(exam: Exam) -> Regions:
        description = read_manifest(Path(folder))
        return segment(exam, description.network, _predict(description, Path(folder)))

    return asked


def read_manifest(folder: Path) -> Description:
    """What the folder holds.

    Raises:
        Unusable: There is no manifest, or it says something that is not understood.
    """
    try:
        return _DESCRIPTION.validate_json((folder / MANIFEST).read_bytes())
    except OSError as fault:
        raise Unusable("regions.network_missing", f"The folder of the network has no {MANIFEST}.") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Unusable("regions.network_manifest", f"{MANIFEST} of the network: {where}: {first['msg']}.") from fault


def _predict(description: Description, folder: Path) -> Predict:
    if description.installed.kind == "onnx":
        return on_tensors(description.network, partial(_run_onnx, folder / description.installed.model))
    return partial(_run_program, description.installed, folder)


def _run_onnx(model: Path, values: Array) -> Array:
    """One run on the processor, with one thread: the machine is shared."""
    try:
        import onnxruntime as ort
    except ImportError as fault:
        raise Unusable(
            "regions.network_runtime", "The network needs onnxruntime: install cryomargin with its extra 'network'."
        ) from fault
    faults = tuple(kind for kind in vars(ort.capi.onnxruntime_pybind11_state).values() if _is_fault(kind))
    try:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {session.get_inputs()[0].name: values})[0])
    except (*faults, RuntimeError, ValueError) as fault:
        raise Unusable("regions.network_failed", f"The network's model cannot be run ({type(fault).__name__}).") from fault


def _is_fault(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)


def _run_program(installed: Installed, folder: Path, channels: Sequence[Volume]) -> Mapping[int, Volume]:
    """The masks that a program writes for the phases it is given as files without a name or a date."""
    weights = folder / installed.weights
    if not weights.is_dir() or not any(weights.iterdir()):
        raise Unusable("regions.network_weights", "The folder of the network holds no weights; nothing is downloaded.")
    with tempfile.TemporaryDirectory(prefix="cryomargin-network-") as work:
        inputs, outputs = Path(work) / "in", Path(work) / "out"
        inputs.mkdir()
        outputs.mkdir()
        for number, channel in enumerate(channels):
            write_nifti(channel, inputs / f"case_{number:04d}.nii.gz")
        _call(installed, weights, inputs, outputs)
        made = sorted(outputs.rglob("*.nii.gz"))
        if not made:
            raise Unusable("regions.network_failed", "The program of the network ended without an answer.")
        return _masks(read_nifti(made[0]))


def _call(installed: Installed, weights: Path, inputs: Path, outputs: Path) -> None:
    words = {
        "input": str(inputs / "case_0000.nii.gz"),
        "inputs": str(inputs),
        "output": str(outputs / "case.nii.gz"),
        "outputs": str(outputs),
        "task": installed.task,
        "configuration": installed.configuration,
    }
    command = [word.format(**words) for word in installed.command or _CALLS[installed.kind]]
    program = shutil.which(command[0])
    if program is None:
        raise Unusable("regions.network_runtime", f"The program {Path(command[0]).name} of the network is not installed.")
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    environment = {**os.environ, **closed, _WEIGHTS[installed.kind]: str(weights)}
    try:
        subprocess.run(  # noqa: S603 - the operator's own program, from the operator's own manifest
            with_parent([program, *command[1:]]), env=environment, check=True, capture_output=True, timeout=installed.timeout_s
        )
    except (subprocess.SubprocessError, OSError) as fault:
        raise Unusable(
            "regions.network_failed", f"The program {Path(program).name} of the network failed ({type(fault).__name__})."
        ) from fault


def _masks(labels: Volume) -> Mapping[int, Volume]:
    """One mask for each number but 0."""
    numbers = np.rint(labels.values).astype(np.int64)
    found = (int(number) for number in np.unique(numbers) if number > 0)
    return {number: labels.with_values((numbers == number).astype(np.float32)) for number in found}


def write_nifti(volume: Volume, path: Path) -> None:
    """The voxels with their place, and nothing else."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.values, dtype=np.float32))
    axes = volume.affine[:3, :3] / np.array(volume.spacing)
    image.SetSpacing([float(size) for size in volume.spacing[::-1]])
    image.SetDirection(axes[:, ::-1].ravel().tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    sitk.WriteImage(image, str(path))


def read_nifti(path: Path) -> Volume:
    """A volume that a program wrote.

    Raises:
        Unusable: It cannot be read.
    """
    try:
        image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    except RuntimeError as fault:
        raise Unusable("regions.network_output", "The answer of the network's program cannot be read.") from fault
    affine = np.eye(4)
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, :3], affine[:3, 3] = axes[:, ::-1], image.GetOrigin()
    return Volume(np.asarray(sitk.GetArrayFromImage(image), dtype=np.float32), affine)

"""Networks in a folder: a tiny ONNX model and a fake program do what real ones do; every fault is a sentence."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import Unusable
from service.jobs.networks import Installed, _call, load_network, read_manifest, read_nifti, write_nifti
from service.regions.region import Exam, Kind
from service.study.model import Role
from tests.jobs.test_process import wait_for_text, wait_until_gone
from tests.shapes import ball, fractions, grid

PV = Role.PORTAL_VENOUS
NETWORK: dict[str, Any] = {
    "name": "tiny",
    "version": "0.1",
    "channels": ["portal_venous"],
    "labels": {"1": "ablation_zone"},
    "trained_on": "treated",
    "normalisation": "none",
    "output": "probabilities",
}
# Writes the voxels above 0.5 of its input as label 5, and what it was told into a file beside.
PROGRAM = f"""#!{sys.executable}
import json, os, sys
import SimpleITK as sitk
image = sitk.ReadImage(sys.argv[1])
sitk.WriteImage(sitk.Cast(image > 0.5, sitk.sitkUInt8) * 5, sys.argv[2])
with open(os.path.join(os.environ["TOTALSEG_WEIGHTS_PATH"], "seen.json"), "w") as told:
    json.dump({{"proxy": os.environ["https_proxy"], "files": sorted(os.listdir(os.path.dirname(sys.argv[1])))}}, told)
"""


def exam() -> Exam:
    return Exam(PV, {PV: fractions(ball(9.0), grid(24.0))}, {})


def folder(tmp_path: Path, installed: dict[str, Any] | None = None, **network: Any) -> Path:
    text = json.dumps({"network": {**NETWORK, **network}, "installed": installed or {"kind": "onnx"}})
    (tmp_path / "manifest.json").write_text(text)
    return tmp_path


def tiny_model(path: Path) -> None:
    """A model of two labels: what is not bright, and what is."""
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    sides = ["k", "j", "i"]
    graph = helper.make_graph(
        [
            helper.make_node("Sub", ["one", "image"], ["rest"]),
            helper.make_node("Concat", ["rest", "image"], ["labels"], axis=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", number, [1, 1, *sides])],
        [helper.make_tensor_value_info("labels", number, [1, 2, *sides])],
        [helper.make_tensor("one", number, [1], [1.0])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


def test_an_onnx_model_of_the_folder_is_run(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    tiny_model(tmp_path / "model.onnx")
    (zone,) = load_network(str(folder(tmp_path)))(exam()).zones
    np.testing.assert_allclose(zone.mask.values, exam().phases[PV].values, atol=1e-5)
    assert zone.method == "network: tiny 0.1"


def program(tmp_path: Path, text: str = PROGRAM) -> dict[str, Any]:
    """A program that is called as TotalSegmentator is, with weights."""
    path = tmp_path / "program"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.pth").write_bytes(b"weights")
    return {"kind": "totalsegmentator", "command": [str(path), "{input}", "{output}"]}


def test_a_program_gets_files_without_names_its_weights_and_no_way_out(tmp_path: Path) -> None:
    made = folder(tmp_path, program(tmp_path), labels={"5": "liver"})
    liver = load_network(str(made))(exam()).liver
    assert liver is not None
    assert liver.binary
    assert np.array_equal(liver.mask.values > 0.5, exam().phases[PV].values > 0.5)
    seen = json.loads((tmp_path / "weights" / "seen.json").read_text())
    assert seen == {"proxy": "http://127.0.0.1:9", "files": ["case_0000.nii.gz"]}


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        ({"kind": "mrsegmentator"}, "holds no weights; nothing is downloaded"),
        ({"kind": "onnx", "model": "other.onnx"}, "cannot be run|needs onnxruntime"),
        ({"kind": "tensorflow"}, "installed.kind"),
    ],
)
def test_what_is_missing_or_not_understood_is_said(tmp_path: Path, installed: dict[str, Any], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        load_network(str(folder(tmp_path, installed)))(exam())


@pytest.mark.parametrize(
    ("text", "words"), [("#!/bin/sh\nexit 3\n", "failed"), ("#!/bin/sh\n", "without an answer"), ("", "failed")]
)
def test_a_program_that_fails_is_a_sentence_and_no_crash(tmp_path: Path, text: str, words: str) -> None:
    installed = program(tmp_path, text)
    with pytest.raises(Unusable, match=words):
        load_network(str(folder(tmp_path, installed)))(exam())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux")
def test_a_program_dies_with_the_analysis_that_calls_it(tmp_path: Path) -> None:
    """Where nobody is left to end it: the service was killed, and the kernel ended the analysis."""
    note = tmp_path / "pid"
    endless = Installed("nnunet", command=("/bin/sh", "-c", f"echo $$ > {note}; exec sleep 60"))
    analysis = os.fork()
    if analysis == 0:
        try:
            _call(endless, tmp_path, tmp_path, tmp_path)
        finally:
            os._exit(1)
    wait_for_text(note)
    os.kill(analysis, signal.SIGKILL)
    os.waitpid(analysis, 0)
    wait_until_gone(int(note.read_text()))


def test_a_program_that_is_not_installed_is_said(tmp_path: Path) -> None:
    installed = {**program(tmp_path), "command": ["no-such-segmenter", "{input}"]}
    with pytest.raises(Unusable, match="not installed"):
        load_network(str(folder(tmp_path, installed)))(exam())


def test_a_folder_without_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"no manifest\.json"):
        read_manifest(tmp_path)


def test_the_manifest_says_what_labels_mean(tmp_path: Path) -> None:
    assert read_manifest(folder(tmp_path)).network.labels == {1: Kind.ABLATION_ZONE}


def test_a_volume_comes_back_from_its_file_in_its_place(tmp_path: Path) -> None:
    volume = fractions(ball(9.0, (3.0, -2.0, 4.0)), grid(24.0))
    write_nifti(volume, tmp_path / "x.nii.gz")
    again = read_nifti(tmp_path / "x.nii.gz")
    assert again.same_grid(volume, tolerance=1e-3)
    np.testing.assert_array_equal(again.values, volume.values)

"""What of a network's answer becomes a contour: in place, soft, by label, flagged where it was trained on something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.errors import Unusable
from service.regions.network import Manifest, on_tensors, segment
from service.regions.region import DrawnMask, Exam, Kind, Regions
from service.regions.table import segment_all
from service.study.model import Role
from service.volumes.volume import Array, Volume
from tests.shapes import ball, fractions, grid

PV = Role.PORTAL_VENOUS
MANIFEST = Manifest("zones", "1.0", (PV,), {1: Kind.ABLATION_ZONE, 2: Kind.TUMOR}, "treated", output="probabilities")


def exam(**phases: Volume) -> Exam:
    """A ball of 10 mm, brighter than the rest."""
    bright = fractions(ball(10.0), grid(24.0))
    return Exam(PV, {PV: bright, **{Role(role): volume for role, volume in phases.items()}}, {})


def answers(**masks: Volume) -> Any:
    """A network that always answers so; names are label1, label2..."""

    def predict(_channels: Sequence[Volume]) -> Mapping[int, Volume]:
        return {int(name.removeprefix("label")): mask for name, mask in masks.items()}

    return predict


def test_soft_masks_on_another_grid_land_where_they_are() -> None:
    fine = fractions(ball(8.0), grid(20.0, (2.0, 1.0, 1.0)))
    regions = segment(exam(), MANIFEST, answers(label1=fine))
    (zone,) = regions.zones
    truth = fractions(ball(8.0), grid(24.0))
    assert zone.mask.same_grid(truth)
    assert float(zone.mask.values.sum()) == pytest.approx(float(truth.values.sum()), rel=0.05)
    assert (zone.method, zone.binary) == ("network: zones 1.0", False)
    assert regions.reasons == {Kind.TUMOR: "The network zones found no tumor."}


def test_two_bodies_are_two_zones_and_a_speck_is_none() -> None:
    both = np.maximum(fractions(ball(5.0, (-12, 0, 0)), grid(24.0)).values, fractions(ball(5.0, (12, 0, 0)), grid(24.0)).values)
    both[0, 0, 0] = 1.0
    regions = segment(exam(), MANIFEST, answers(label1=grid(24.0).with_values(both)))
    assert len(regions.zones) == 2
    liver = replace(MANIFEST, labels={1: Kind.LIVER})
    assert segment(exam(), liver, answers(label1=grid(24.0).with_values(both))).liver is not None


def test_a_tumor_by_a_network_that_never_saw_an_ablation_is_flagged() -> None:
    mask = fractions(ball(5.0), grid(24.0))
    untreated = replace(MANIFEST, trained_on="untreated")
    assert "trained on untreated lesions" in segment(exam(), untreated, answers(label2=mask)).notes[0]
    assert segment(exam(), MANIFEST, answers(label2=mask)).notes == ()
    assert segment(exam(), replace(untreated, labels={2: Kind.LIVER}), answers(label2=mask)).notes == ()


@pytest.mark.parametrize(
    ("manifest", "mask", "code"),
    [
        (replace(MANIFEST, channels=(PV, Role.ARTERIAL)), 0.7, "regions.network_input"),
        (MANIFEST, 0.2, "regions.network_nothing"),
        (MANIFEST, 7.0, "regions.network_output"),
        (MANIFEST, float("nan"), "regions.network_output"),
    ],
)
def test_what_cannot_be_used_is_refused(manifest: Manifest, mask: float, code: str) -> None:
    values = np.full(grid(24.0).shape, mask, np.float32)
    with pytest.raises(Unusable) as refusal:
        segment(exam(), manifest, answers(label1=grid(24.0).with_values(values)))
    assert refusal.value.code == code


def threshold(values: Array) -> Array:
    """Logits of "brighter than the mean" for label 1."""
    assert values.shape[2] % 8 == values.shape[3] % 8 == values.shape[4] % 8 == 0
    return np.stack([np.zeros_like(values[:, 0]), 20 * (values[:, 0] - 2.4)], axis=1)


def test_a_tensor_network_sees_its_own_spacing_and_its_answer_comes_back_in_place() -> None:
    manifest = replace(
        MANIFEST, labels={1: Kind.ABLATION_ZONE}, spacing=(2.0, 2.0, 2.0), multiple=8, output="logits", normalisation="zscore"
    )
    (zone,) = segment(exam(), manifest, on_tensors(manifest, threshold)).zones
    truth = fractions(ball(10.0), grid(24.0)).values > 0.5
    found = zone.mask.values > 0.5
    assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.93


def test_a_tensor_of_another_shape_is_refused() -> None:
    with pytest.raises(Unusable, match="another shape"):
        segment(exam(), MANIFEST, on_tensors(MANIFEST, lambda values: values[:, :, 1:]))


def test_the_network_has_its_place_in_the_order_and_its_fault_does_not_end_the_search() -> None:
    mask = fractions(ball(8.0), grid(24.0))

    def good(exam: Exam) -> Regions:
        return segment(exam, MANIFEST, answers(label1=mask))

    def broken(exam: Exam) -> Regions:
        assert exam.phases
        raise Unusable("regions.network_failed", "The network's model cannot be run (Fail).")

    zone = DrawnMask("1.1", 1, "Ablation zone", (), mask, fractional=True)
    assert segment_all(exam(), ["drawn", "network"], network=good).zones[0].method == "network: zones 1.0"
    drawn = replace(exam(), drawings=(zone,))
    assert segment_all(drawn, ["drawn", "network"], network=good).zones[0].method.startswith("drawn")
    regions = segment_all(drawn, ["network", "drawn"], network=broken)
    assert (len(regions.zones), regions.notes) == (1, ("The network's model cannot be run (Fail).",))
    with pytest.raises(Unusable, match="No network is configured"):
        segment_all(exam(), ["network"])

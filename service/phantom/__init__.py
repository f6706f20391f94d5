"""Patients with known truth: bodies in mm, sampled to volumes, written as DICOM series.

Reading order: `bodies` (shapes), `sample` (shapes to voxels), `truth` (what the right answers are), `vessels` and `recipe`
(what to make), `signals` and `degrade` (how it looks), `patient` (all of it), `write` (as DICOM), `implant` (into a real
volume). The demo, the start-up self-test and the tests use it; the analysis never does.
"""

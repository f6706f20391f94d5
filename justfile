# The tests start hundreds of processes. Without byte code on disk each compiles every library anew, which takes longer than
# most tests, and some containers ask for just that.
unexport PYTHONDONTWRITEBYTECODE

# The one gate, for people and for CI.
check: format lint types contracts tests

format:
    uv run ruff format --check .

lint:
    uv run ruff check .

types:
    uv run mypy

contracts:
    uv run lint-imports

tests:
    uv run pytest

# Rewrite what a tool can rewrite.
fix:
    uv run ruff check --fix .
    uv run ruff format .

# What runs before each commit, on everything.
hooks:
    uv run pre-commit run --all-files

# The whole journey on this machine with a phantom patient.
demo:
    uv run cryomargin demo

# The long checks; each prints its figures and writes them into docs/evidence.md. About 10 minutes each.

# Accuracy on thousands of phantoms with known truth.
validate: validate-margin validate-alignment validate-vessel validate-chain

# The margin, what can be assessed of it, and lobes that are missing. --processes N; --keep FILE goes on where it was cut off.
validate-margin *options:
    uv run python -m tests.validation.margin.validate {{ options }}

# How far phases lie from their place after alignment. --cases N, --first SEED.
validate-alignment *options:
    uv run python -m tests.validation.alignment {{ options }}

# The vessel in the margin and what only looks like one. --vessels N; --keep FILE goes on where it was cut off.
validate-vessel *options:
    uv run python -m tests.validation.vessel.validate {{ options }}

# The truths of the phantoms that every change is held to, searched for anew; needed when a phantom's shape changes.
known-margins *options:
    uv run python -m tests.validation.margin.tenth {{ options }}

# Real series of other people: their volumes, and how an exam of them ends.
validate-real *options:
    uv run python -m tests.validation.real {{ options }}

# The whole analysis from DICOM files: `--phantoms N`, and `--placements N` in a real abdomen; --keep FILE goes on where it was cut off.
validate-chain *options:
    uv run python -m tests.validation.phantoms {{ options }}

# What the precision of a margin is made of: constants for the source, from phantoms that are never reported on.
calibrate *options:
    uv run python -m tests.validation.margin.calibrate {{ options }}
    uv run ruff format -q service/features/calibration.py

# Our margin beside plain distance maps, border voxels and two published packages, on the same phantoms.
bench-margin *options:
    uv run --group bench python -m tests.benchmarks.margin {{ options }}

# Kill the service in the middle of its work, again and again; `--receiving 200` kills the listener under eight senders.
soak *options:
    uv run python -m tests.validation.soak {{ options }}

# What the engine costs beside analysis and quiet time, and a burst.
bench-engine *options:
    uv run python -m tests.benchmarks.throughput {{ options }}

# Kill one random process of several at a time, with an analysis that measures nothing and a real Orthanc.
soak-parts *options:
    uv run python -m tests.validation.engine.soak {{ options }}

# Have peers break off in every way that they can, beside honest ones (`--breaks 1000`).
soak-breaking *options:
    uv run python -m tests.validation.breaking {{ options }}

# Look for bytes that break what reads the network (`--minutes 10`).
fuzz *options:
    uv run python -m tests.validation.fuzz {{ options }}

# How fast instances are received, beside storescp and Orthanc.
bench-receive *options:
    uv run python -m tests.benchmarks.receive {{ options }}

# Time from the last image of a clinical exam to the report in the archive.
bench *options:
    uv run python -m tests.benchmarks.journey {{ options }}

# One large object over STOW-RS, with the memory that it costs.
bench-stow *options:
    uv run python -m tests.benchmarks.stow {{ options }}

# A million instances in the index: what the API answers, and how fast instances are taken in.
bench-index *options:
    uv run python -m tests.benchmarks.index {{ options }}

# Old studies leave while new ones come: what that costs the new ones.
bench-purge *options:
    uv run python -m tests.benchmarks.purge {{ options }}

# What a service costs that has nothing to do.
bench-idle *options:
    uv run python -m tests.benchmarks.idle {{ options }}

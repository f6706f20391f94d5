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

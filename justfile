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

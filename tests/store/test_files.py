from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from service.store.files import Files


def test_what_was_committed_can_be_read_under_its_key(files: Files) -> None:
    with files.receive() as incoming:
        incoming.write(b"abc")
        incoming.write(memoryview(b"def"))
        kept = incoming.commit()

    assert files.path(kept.key).read_bytes() == b"abcdef"
    assert kept.size == 6
    assert kept == files.describe(kept.key)
    assert list(files.received_keys()) == [kept.key]


def test_a_commit_is_durable_before_it_returns(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is the promise: the content, then the name, then the folder that holds the name."""
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")  # noqa: PTH112
        fsync(descriptor)

    def noted_rename(part: str, target: str) -> None:
        steps.append("name")
        rename(part, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)
    files.write_object(b"x")

    assert steps == ["content", "name", "folder"]


def test_without_a_commit_nothing_remains(files: Files) -> None:
    with files.receive() as incoming:
        incoming.write(b"half")

    with pytest.raises(TypeError), files.receive() as incoming:
        incoming.write("text")  # type: ignore[arg-type]

    assert [path for path in files.root.rglob("*") if path.is_file()] == []


def test_own_objects_are_kept_apart_from_received_ones(files: Files) -> None:
    kept = files.write_object(b"report")

    assert kept.key.startswith("made/")
    assert list(files.received_keys()) == []


def test_the_sweep_takes_what_a_dead_writer_left_and_nothing_else(files: Files) -> None:
    (files.root / "incoming" / "old.part").write_bytes(b"half")

    with files.receive() as incoming:
        incoming.write(b"alive")

        assert files.sweep() == ("old.part",)
        kept = incoming.commit()

    assert files.exists(kept.key)


def test_a_killed_writer_counts_as_dead(files: Files) -> None:
    """The lock that protects a part file ends with its process, however that ends."""
    script = (
        "import os, sys, pathlib; from service.store.files import Files\n"
        "incoming = Files(pathlib.Path(sys.argv[1])).receive(); incoming.write(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(files.root)], check=False)

    assert len(list((files.root / "incoming").iterdir())) == 1
    assert len(files.sweep()) == 1
    assert list((files.root / "incoming").iterdir()) == []


@pytest.mark.parametrize("key", ["../../evil", "received/../../../evil.dcm", "/etc/passwd", "received/aa/1.2.3.dcm", ""])
def test_only_keys_made_here_become_paths(files: Files, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        files.path(key)


def test_keys_are_random_and_spread(files: Files) -> None:
    keys = [files.write_object(b"same").key for _ in range(20)]

    assert len(set(keys)) == 20
    assert all(re.fullmatch(r"made/[0-9a-f]{2}/[0-9a-f]{32}\.dcm", key) for key in keys)


def test_others_cannot_read_what_is_kept(files: Files) -> None:
    kept = files.write_object(b"x")

    assert files.path(kept.key).stat().st_mode & 0o007 == 0
    assert files.root.joinpath("received").stat().st_mode & 0o007 == 0


def test_removing_twice_is_harmless(files: Files) -> None:
    kept = files.write_object(b"x")
    files.remove(kept.key)
    files.remove(kept.key)

    assert not files.exists(kept.key)


def test_free_space_is_that_of_the_disk(files: Files) -> None:
    assert files.free_bytes() > 0

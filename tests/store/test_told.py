"""What people said is kept, replaced by a newer word, and taken back."""

from __future__ import annotations

import pytest

from service.errors import Unusable
from service.options import RoleRule
from service.store.index import Index
from tests.store.builders import STUDY, arrival, at

RULE = RoleRule("arterial", "SIEMENS Sola 1", "liver", "vibe", 2)


def test_the_newest_word_about_a_phase_counts(index: Index) -> None:
    other = RoleRule("t2", "GE", "liver", "fse", 1)
    index.keep_rule(RULE, at(0))
    index.keep_rule(other, at(1))
    index.keep_rule(RoleRule("delayed", "SIEMENS Sola 1", "liver", "vibe", 2), at(2))
    assert [rule.role for rule in index.role_rules()] == ["delayed", "t2"]
    index.forget_rule(RULE)
    assert index.role_rules() == (other,)


def test_facts_about_a_study_are_kept_by_name_and_taken_back(index: Index) -> None:
    index.add_instance(arrival(1))
    index.tell(STUDY, {"seeds": [[1.0, 2.0, 3.0]], "procedure_at": "2026-02-28T10:00:00"}, at(0))
    index.tell(STUDY, {"seeds": None}, at(1))
    assert index.told(STUDY) == {"procedure_at": "2026-02-28T10:00:00"}
    assert index.told("1.9") == {}


def test_nothing_is_said_about_a_study_that_never_came(index: Index) -> None:
    with pytest.raises(Unusable, match="no such study"):
        index.tell("1.9", {"seeds": [[0, 0, 0]]}, at(0))


def test_how_series_were_understood_is_shown_with_the_study(index: Index) -> None:
    index.add_instance(arrival(1))
    version = index.close_version(STUDY, at(1)).content_version
    index.save_phases(STUDY, version, [{"key": "1.2"}])
    detail = index.study(STUDY)
    assert detail is not None
    assert detail.phases == ({"key": "1.2"},)

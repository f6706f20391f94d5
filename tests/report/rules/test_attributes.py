"""The tables of required attributes are those of the standard, as another reader of it wrote them down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom.uid import UID

from service.report.compose import OUTPUTS
from service.report.rules.attributes import CLASSES, ITEMS, MODULES

# Held by the rules of the content tree, or by the SOP class itself.
ELSEWHERE = {"sr-document-content"}


def required(module: str, kind: str) -> set[str]:
    """The attributes of a type at the top of a module."""
    return {one["keyword"] for one in get_module_attribute_map()[module] if not one["path"] and one["type"] == kind}


@pytest.mark.parametrize("sop_class", CLASSES, ids=lambda uid: UID(uid).name)
def test_the_classes_have_all_their_mandatory_modules(sop_class: str) -> None:
    modules = get_iod_module_map()[get_sop_class_iod_map()[sop_class]]
    mandatory = {one["key"] for one in modules if one["usage"] == "M"} - ELSEWHERE
    demanding = {name for name in mandatory if required(name, "1") | required(name, "2")}
    assert set(CLASSES[sop_class]) == demanding


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_demand_what_the_standard_demands(module: str) -> None:
    type_1, type_2 = (set(keywords.split()) for keywords in MODULES[module])
    assert (type_1, type_2) == (required(module, "1"), required(module, "2"))


def contexts(sequence: str) -> Iterator[dict[str, str]]:
    """Keyword to type of the items of a sequence, for each place of a class of ours in which it stands."""
    for sop_class in CLASSES:
        for module in get_iod_module_map()[get_sop_class_iod_map()[sop_class]]:
            here: dict[tuple[str, ...], dict[str, str]] = {}
            for one in get_module_attribute_map()[module["key"]]:
                if one["path"] and one["path"][-1] == sequence:
                    here.setdefault(tuple(one["path"]), {})[one["keyword"]] = one["type"]
            yield from here.values()


@pytest.mark.parametrize("sequence", ITEMS)
def test_items_demand_what_the_standard_demands_wherever_they_stand(sequence: str) -> None:
    """An item may stand in several modules: only what all of them demand is demanded of it."""
    seen = list(contexts(sequence))
    always = set.intersection(*({keyword for keyword, kind in one.items() if kind in ("1", "2")} for one in seen))
    assert set(" ".join(ITEMS[sequence]).split()) == always


def test_every_object_that_can_be_made_is_of_a_class_with_a_table() -> None:
    made = {str(make.__globals__["IDENTITY"].sop_class_uid) for _role, make in OUTPUTS}
    assert made <= set(CLASSES)

from __future__ import annotations

from service.configured import destinations_of, syntax_words
from service.dicom.destination import EXPLICIT, IMPLICIT, Destination, Verify
from service.settings import DestinationTable, Settings


def test_a_destination_without_profile_gets_everything() -> None:
    (found,) = destinations_of(Settings(destination=(DestinationTable(name="pacs", address="PACS@h:104"),)))
    assert found == Destination("pacs", "PACS", "h", 104)
    assert found.syntaxes == (EXPLICIT, IMPLICIT)


def test_a_profile_reaches_the_sender() -> None:
    table = DestinationTable(
        name="viewer",
        address="VIEW@h:104",
        verify="find",
        objects=("sr",),
        transfer_syntaxes=("implicit_vr_little_endian",),
        character_set="ISO_IR 192",
    )
    (found,) = destinations_of(Settings(destination=(table,)))
    wanted = frozenset({"sr"})
    assert found == Destination("viewer", "VIEW", "h", 104, Verify.FIND, wanted, (IMPLICIT,), "ISO_IR 192")


def test_syntaxes_have_the_words_that_the_configuration_takes() -> None:
    words = syntax_words((IMPLICIT, EXPLICIT))
    assert DestinationTable(name="a", address="A@h:1", transfer_syntaxes=words).transfer_syntaxes == words  # type: ignore[arg-type]
    assert syntax_words((IMPLICIT,)) == ("implicit_vr_little_endian",)

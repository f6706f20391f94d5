from __future__ import annotations

from pathlib import Path

from service.configured import destinations_of, listener_tls, options_of, syntax_words, when_of
from service.dicom.destination import EXPLICIT, IMPLICIT, Destination, Verify
from service.dicom.tls import Credentials
from service.options import ExamRule
from service.settings import (
    Analysis,
    Completion,
    DestinationTable,
    DestinationTls,
    ExamTable,
    ListenerTable,
    ListenerTls,
    Settings,
)


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


def test_tls_reaches_both_ends() -> None:
    settings = Settings(
        listener=ListenerTable(tls=ListenerTls(certificate="a.pem", key="a.key", ca="ca.pem")),
        destination=(DestinationTable(name="a", address="A@h:1", tls=DestinationTls(ca="ca.pem", host_name="pacs")),),
    )
    (destination,) = destinations_of(settings)
    assert listener_tls(settings) == Credentials(Path("a.pem"), Path("a.key"), Path("ca.pem"))
    assert (destination.tls, destination.tls_name) == (Credentials(ca=Path("ca.pem")), "pacs")


def test_without_certificate_or_authority_dicom_stays_plain() -> None:
    settings = Settings(destination=(DestinationTable(name="a", address="A@h:1"),))
    assert listener_tls(settings) is None
    assert destinations_of(settings)[0].tls is None


def test_a_listener_that_asks_for_no_certificate_believes_in_no_authority() -> None:
    tls = ListenerTls(certificate="a.pem", key="a.key", ca="ca.pem", require_client=False)
    assert listener_tls(Settings(listener=ListenerTable(tls=tls))) == Credentials(Path("a.pem"), Path("a.key"))


def test_what_a_study_must_hold_is_modalities_and_roles_of_series() -> None:
    table = Completion(require=("SEG|RTSTRUCT", "portal_venous|delayed", "t2"), longest_wait_s=60.0)
    required = when_of(Settings(completion=table)).required
    assert (required.groups, required.longest_s) == ((("SEG", "RTSTRUCT"),), 60.0)
    assert required.roles == (("portal_venous", "delayed"), ("t2",))


def test_a_rule_about_exams_reaches_the_analysis() -> None:
    table = Analysis(exam=(ExamTable(exam="followup", description="MR liver*"),))
    assert options_of(Settings(analysis=table)).exams == (ExamRule("followup", "MR liver*"),)

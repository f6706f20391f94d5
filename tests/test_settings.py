from __future__ import annotations

import itertools
import os
import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import BadConfig, DestinationTable, Settings, load

DESTINATION = '[[destination]]\nname = "a"\naddress = "A@h:1"\n'
CONFIG = Path(__file__).resolve().parents[1] / "config"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CRYOMARGIN_")]:
        monkeypatch.delenv(name)


def uncommented(text: str) -> dict[str, object]:
    """The commented file with its settings switched on; the destination example is left out."""
    settings = text.split("# One block for each receiver", maxsplit=1)[0]
    return tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", settings))


def test_the_commented_file_is_the_defaults() -> None:
    assert load() == load(CONFIG / "service.toml")


def test_every_setting_stands_in_the_commented_file_with_its_default() -> None:
    expected = Settings().model_dump(mode="json", exclude={"destination"})
    assert expected == uncommented((CONFIG / "service.toml").read_text())


def test_every_setting_has_a_comment_before_it() -> None:
    lines = (CONFIG / "service.toml").read_text().split("# One block for each receiver", maxsplit=1)[0].splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"# \w+ = ", line) and not re.match(r"# \w+ = ", before):
            assert before.startswith("# "), line


def test_the_example_of_a_hospital_can_be_used() -> None:
    settings = load(CONFIG / "example-hospital.toml")
    pacs = settings.destination[0]
    assert (pacs.name, pacs.address, pacs.verify) == ("pacs", "PACS@192.0.2.10:104", "find")


def write(folder: Path, text: str) -> Path:
    path = folder / "service.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[listener]\nprot = 1", "listener.prot: there is no such setting"),
        ("[listner]\nport = 1", "listner: there is no such setting"),
        ("[listener]\nport = 70000", "listener.port"),
        ('[listener]\nhost = "0.0.0.0"', "allowed_calling_ae"),
        ('[listener]\nallowed_callers = ["MR1"]', 'listener.allowed_callers.0: must be "AETITLE@address"'),
        ('[listener]\nallowed_callers = ["MR1@192.0.2.1/24"]', "listener.allowed_callers.0: 192.0.2.1/24 has host bits set"),
        ('[listener]\nallowed_callers = ["MR1@scanner"]', "listener.allowed_callers.0: 'scanner' does not appear to be"),
        ('[listener.tls]\ncertificate = "a.pem"', "listener.tls: certificate and key belong together"),
        ('[listener.tls]\ncertificate = "a.pem"\nkey = "a.key"', "listener.tls: require_client needs ca"),
        ('[listener.tls]\nca = "ca.pem"', "listener.tls: ca without certificate and key would be no TLS at all"),
        (f'{DESTINATION}[destination.tls]\nhost_name = "h"', "destination.0.tls: ca is needed"),
        (
            '[[destination]]\nname = "a"\naddress = "http://h/dicom"\ntls = { ca = "a" }',
            "destination.0: an http:// address is plain text",
        ),
        (
            '[[destination]]\nname = "a"\naddress = "https://h/dicom"\ntls = { ca = "a", host_name = "b" }',
            "destination.0: tls.host_name is for DICOM addresses",
        ),
        (f'{DESTINATION}[destination.tls]\nca = "a"\nkey = "b"', "destination.0.tls: certificate and key belong together"),
        ('[listener]\nae_title = "A TITLE OF SEVENTEEN"', "listener.ae_title"),
        ('[[destination]]\nname = "a"\naddress = "nowhere"', 'destination.0.address: must be "AETITLE@host:port"'),
        ('[[destination]]\nname = "a"\naddress = "A@h:1"\n[[destination]]\nname = "a"\naddress = "B@h:1"', "same name"),
        (f'{DESTINATION}objects = ["sketch"]', "destination.0.objects.0"),
        (f'[report]\noutputs = ["sr"]\n{DESTINATION}objects = ["seg"]', "'a' wants seg, which report.outputs does not"),
        (f"{DESTINATION}transfer_syntaxes = []", "destination.0.transfer_syntaxes"),
        (f'{DESTINATION}transfer_syntaxes = ["jpeg"]', "destination.0.transfer_syntaxes.0"),
        ("[listener", "is not TOML"),
        ("[completion]\nquiet_s = 0", "completion.quiet_s"),
        ('[completion]\nrequire = ["SEG|portal_venous"]', "completion.require.0: must be modalities"),
        ('[analysis]\nexam = [{ exam = "24h", description = "liver" }]', "analysis.exam.0.exam"),
        ('[analysis]\nexam = [{ exam = "followup", description = "**" }]', "say which exams: description needs a word"),
        ('[completion]\nrequire = ["portal"]', 'roles of series ("portal_venous|delayed")'),
    ],
)
def test_a_fault_names_the_file_and_the_key(tmp_path: Path, text: str, named: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadConfig) as fault:
        load(path)
    assert str(path) in str(fault.value)
    assert named in str(fault.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=re.escape("missing.toml: cannot be read")):
        load(tmp_path / "missing.toml")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '[listener]\nport = 1\nae_title = "FILE"')
    monkeypatch.setenv("CRYOMARGIN_LISTENER__PORT", "2")
    listener = load(path).listener
    assert (listener.port, listener.ae_title) == (2, "FILE")


def test_destinations_can_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a container needs no file."""
    monkeypatch.setenv("CRYOMARGIN_DESTINATION", '[{"name": "pacs", "address": "PACS@pacs:104", "verify": "find"}]')
    (destination,) = load().destination
    assert (destination.name, destination.address, destination.verify) == ("pacs", "PACS@pacs:104", "find")


def test_a_misspelt_variable_of_a_known_table_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOMARGIN_LISTENER__PROT", "2")
    with pytest.raises(BadConfig, match=re.escape("listener.prot")):
        load()


def test_an_unreadable_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOMARGIN_DESTINATION", "not json")
    with pytest.raises(BadConfig, match="environment"):
        load()


def test_callers_with_their_addresses_are_list_enough_for_the_network(tmp_path: Path) -> None:
    text = '[listener]\nhost = "0.0.0.0"\nallowed_callers = ["MR1@192.0.2.0/24", "A@B@2001:db8::1"]'
    assert load(write(tmp_path, text)).listener.allowed_callers == ("MR1@192.0.2.0/24", "A@B@2001:db8::1")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().listener.port = 1


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"verify": "commitment"}, "no storage commitment"),
        ({"username": "margin"}, "belong together"),
        ({"address": "http://h/web", "username": "margin", "password_file": "p"}, "https:// address alone"),
    ],
)
def test_a_dicomweb_destination_is_asked_for_nothing_that_it_cannot_do(more: dict[str, str], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        DestinationTable.model_validate({"name": "web", "address": "https://h/dicom-web"} | more)

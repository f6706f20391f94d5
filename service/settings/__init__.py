"""Settings: one TOML file, frozen once read.

`config/service.toml` lists every setting with its default and the reason for it; a test compares that file with the
defaults here. A variable `CRYOMARGIN_<TABLE>__<KEY>` overrides a key of the file. An unknown key is an error, because a
misspelt setting that is silently ignored is a setting that somebody relies on.
"""

from service.settings.dicomweb import DicomWeb
from service.settings.encryption import DestinationTls, ListenerTls
from service.settings.everything import Settings
from service.settings.load import BadConfig, load
from service.settings.measuring import Analysis, Drawn, ExamTable, Report
from service.settings.receiving import Completion, Database, ListenerTable, Storage
from service.settings.running import Log, Metrics, Web, Worker
from service.settings.sending import Delivery, DestinationTable

__all__ = [
    "Analysis",
    "BadConfig",
    "Completion",
    "Database",
    "Delivery",
    "DestinationTable",
    "DestinationTls",
    "DicomWeb",
    "Drawn",
    "ExamTable",
    "ListenerTable",
    "ListenerTls",
    "Log",
    "Metrics",
    "Report",
    "Settings",
    "Storage",
    "Web",
    "Worker",
    "load",
]

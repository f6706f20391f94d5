"""The summary page as a document, to print or to file: the same pages on white, as vectors.

Source: DICOM PS3.3 A.45.1, C.24.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib.figure import Figure
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import EncapsulatedPDFStorage

from service.report.capture import sources_of
from service.report.content import coded, reference
from service.report.draft import Draft
from service.report.header import Identity, begin, finish
from service.report.pictures.style import ON_WHITE
from service.report.summary.page import identified, pages
from service.report.vocabulary import MEASUREMENT_REPORT

IDENTITY = Identity("pdf", EncapsulatedPDFStorage, "DOC", "Cryomargin summary as PDF, for research use", offset=5)
TITLE = "Ablation margin, summary for research use"


def make(draft: Draft) -> Dataset:
    """The document of a result, one page for each tumor."""
    figures = list(pages(draft, ON_WHITE))
    document = written(figures)
    made = begin(draft.result, draft.sources, IDENTITY)
    made.ConversionType = "WSD"
    made.AcquisitionDateTime = None
    made.BurnedInAnnotation = "YES" if identified(draft, figures) else "NO"
    made.VerificationFlag = "UNVERIFIED"
    made.SourceInstanceSequence = [reference(*names) for names in sources_of(draft)]
    made.DocumentTitle = TITLE
    made.ConceptNameCodeSequence = [coded(MEASUREMENT_REPORT)]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(document)
    made.add(DataElement(Tag("EncapsulatedDocument"), "OB", document + b"\0" * (len(document) % 2)))
    return finish(made, draft.result, draft.sources)


def written(figures: Sequence[Figure]) -> bytes:
    """The figures as the pages of a PDF; the same figures give the same bytes, so it holds no date."""
    from matplotlib.backends.backend_pdf import PdfPages  # costs a third of a second, and few want the document

    buffer = BytesIO()
    with PdfPages(buffer, metadata={"CreationDate": None, "Title": TITLE}) as document:
        for figure in figures:
            document.savefig(figure, facecolor=figure.get_facecolor())
    return buffer.getvalue()

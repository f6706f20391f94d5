"""The wire, in and out: the only package that talks DICOM to others.

In: listener, contexts, callers, reception, part10, header_scan, headers, read. Out: destination, association, sender, query.
"""

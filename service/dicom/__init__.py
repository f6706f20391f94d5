"""The wire, in and out: the only package that talks DICOM to others."""

"""The summary page: one page of 1024 x 1024 pixels for each tumor, on which a result can be read in any viewer.

`page` puts it together from `texts` (its sentences), `table` (the findings) and `panels` (the pictures, or in words why there
is none). `sheet` places text by the pixel: what does not fit is wrapped, then cut with an ellipsis, and never overlaps.
"""

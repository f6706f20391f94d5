"""The measurements of Shyn et al. (AJR 2014), one file each, in the order of the report. Pure."""

"""Cryomargin: the ablation margin on the 24-hour MRI after liver cryoablation, as a DICOM Structured Report.

The packages stand in the order in which a DICOM instance meets them:

1. `dicom`    the wire, in and out
2. `store`    where instances, states and results rest
3. `study`    what was received and what it means
4. `volumes`  voxels with geometry
5. `regions`  where liver, ablation zone, tumor and vessels are
6. `features` the measurements, one file each
7. `report`   findings become DICOM objects
8. `jobs`     what is left to do, durably
9. `web`      what people see

`pipeline.analyse` is steps 4 to 7 on one page; `app` puts everything together.
"""

from importlib.metadata import version

__version__ = version("cryomargin")

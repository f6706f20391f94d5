"""Pictures of the margin: functions of the records that draw into axes of the caller, or fill a figure of their own.

- `surface_map`: the margin over the whole tumor surface, unrolled so that areas are true;
- `narrowest`: the narrowest place in the axial, coronal and sagittal plane of the patient;
- `histogram`: how much of the surface has which margin, and the minimum with its interval.

`canvas` turns a figure into PNG. The rest serves these: `style` holds colours and sizes, `lettering` text, `projection` the map
projection, `unrolled` the surface as a raster of directions, `hatching` what cannot be judged, `planes` the cuts through the
patient.
No state is shared: pictures may be drawn in several threads at once.
"""

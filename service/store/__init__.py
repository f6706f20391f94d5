"""Where things rest: content in files, everything that is known about it in the index.

Reading order: header, records, files, schema, database, arrivals, copies, versions, outbox, views, gauges, returned,
reconcile, index, rows.
"""

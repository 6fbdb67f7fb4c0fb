"""The truth of a local collection: one SQLite file, its tables, copies and repairs.

ledger, schema, state     the file, its tables and its facts
records, vectors, tags    items as rows; dead and asked beside them
selection, conditions     which items satisfy a filter
snapshot, genuine         one moment in one file; whether others made it up
inspection, rescue        damage found, and what can be saved
"""

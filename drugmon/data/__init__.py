"""Reading reviews and writing verdicts: sources, formats, tables, fingerprints, reuse."""

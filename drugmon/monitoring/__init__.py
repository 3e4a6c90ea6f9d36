"""Numbers about verdicts and runs: quality, profiles, history. No rendering."""

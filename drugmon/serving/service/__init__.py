"""The service: one process, one engine, requests gathered into batches.

`server` starts and ends it, `app` has its doors, `batcher` is where requests meet the engine.
"""

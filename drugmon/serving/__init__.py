"""Serving: the page (gradio) and the service (FastAPI), thin doors to what workflows have.

Their libraries come with the extras `ui` and `serve`; may import everything below the command line.
"""

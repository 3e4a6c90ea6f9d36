"""The page: one review, a file, the nights. Needs the extra `ui` (gradio).

`serve` starts it, `app` puts the tabs together, the others are a tab or a part of one.
"""

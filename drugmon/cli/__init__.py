"""The commands: they parse options, call one workflow, print, and give an exit code.

`main` is the entry, `commands/` holds the commands by group, `output/` what they print.
Imports nothing heavy outside its commands.
"""

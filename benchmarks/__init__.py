"""Speed of drugmon, measured with its own code; see README.md beside this file."""

"""drugmon: batch sentiment of drug reviews that a team can trust every morning."""

__version__ = "0.1.0"

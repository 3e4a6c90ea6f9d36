"""Coordinates of every chart: the templates only draw what is computed here.

Imports no page.
"""

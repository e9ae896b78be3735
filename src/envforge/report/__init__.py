"""Values -> what people and programs read: pages of text, JSON shapes, JUnit, annotations. No decisions.

A page is made of lines (`page.py`); only `text.py` and `progress.py` know the terminal.
"""

"""Repeatable facial-expression research on FER2013."""

"""Corpora: sources yield documents, steps keep or drop them, copies and test problems go, the rest is written."""

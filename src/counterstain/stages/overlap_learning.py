"""Placeholder until the learning stages land."""
from __future__ import annotations
def learn_overlap(screen, folder, record, listener):
    return None

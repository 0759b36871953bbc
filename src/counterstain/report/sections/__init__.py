"""The chapters of the report, one module each; each turns a run into words, tables and figures."""

from __future__ import annotations

__all__: list[str] = []

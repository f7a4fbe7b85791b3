"""A stand-in Estuary node on a real socket, for the demo and the tests."""

from __future__ import annotations

from .faults import Fault
from .node import Sandbox

__all__ = ["Fault", "Sandbox"]

"""A stand-in Estuary node on a real socket, for the demo and the tests."""

from __future__ import annotations

from .contents import Content, Holdings
from .faults import Fault
from .node import Sandbox

__all__ = ["Content", "Fault", "Holdings", "Sandbox"]

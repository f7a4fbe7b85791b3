"""The database models of the `keys` app, one module for each feature."""

from __future__ import annotations

from keys.models.account import Preferences
from keys.models.api_keys import KeyCreation
from keys.models.audit import AppendOnly, AuditEntry, AuditHead
from keys.models.exports import ExportLease
from keys.models.jobs import Claimable, ScheduledRun, SchedulerLease, Worker
from keys.models.notes import KeyNote
from keys.models.notices import Message, Reminded, Reminders
from keys.models.token import StoredToken

__all__ = [
    "AppendOnly",
    "AuditEntry",
    "AuditHead",
    "Claimable",
    "ExportLease",
    "KeyCreation",
    "KeyNote",
    "Message",
    "Preferences",
    "Reminded",
    "Reminders",
    "ScheduledRun",
    "SchedulerLease",
    "StoredToken",
    "Worker",
]

"""The database models of the `keys` app, one module for each feature."""

from __future__ import annotations

from keys.models.account import Preferences
from keys.models.api_keys import KeyCreation
from keys.models.audit import AppendOnly, AuditEntry, AuditHead
from keys.models.bulk import BulkChange, BulkItem, KeyReminder
from keys.models.exports import (
    ExportComparison,
    ExportLease,
    ExportSchedule,
    PreparedExport,
)
from keys.models.inventory import SeenKey, StatsSample, SyncedAccount, TeamSample
from keys.models.jobs import Claimable, ScheduledRun, SchedulerLease, Worker
from keys.models.notes import KeyNote
from keys.models.notices import Message, Reminded, Reminders
from keys.models.off_boarding import OffBoardedKey, OffBoarding
from keys.models.rotation_requests import RotationRequest
from keys.models.rotations import Rotation
from keys.models.team import SavedView
from keys.models.team_exports import TeamExport, TeamExportPart
from keys.models.token import ConsoleKey, StoredToken

__all__ = [
    "AppendOnly",
    "AuditEntry",
    "AuditHead",
    "BulkChange",
    "BulkItem",
    "Claimable",
    "ConsoleKey",
    "ExportComparison",
    "ExportLease",
    "ExportSchedule",
    "KeyCreation",
    "KeyNote",
    "KeyReminder",
    "Message",
    "OffBoardedKey",
    "OffBoarding",
    "Preferences",
    "PreparedExport",
    "Reminded",
    "Reminders",
    "Rotation",
    "RotationRequest",
    "SavedView",
    "ScheduledRun",
    "SchedulerLease",
    "SeenKey",
    "StatsSample",
    "StoredToken",
    "SyncedAccount",
    "TeamExport",
    "TeamExportPart",
    "TeamSample",
    "Worker",
]

"""Count the accounts that a sample of the team leaves out, and delete samples of nothing.

A worker that had not read any account yet kept a sample of 0 bytes.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def delete_unmeasured(apps: Any, schema_editor: Any) -> None:
    days = apps.get_model("keys", "StatsSample").objects.values("day")
    samples = apps.get_model("keys", "TeamSample").objects.filter(total_size=0, pin_count=0)
    samples.exclude(day__in=days).delete()


class Migration(migrations.Migration):
    dependencies = [("keys", "0026_team_exports")]

    operations = [
        migrations.AddField(
            model_name="teamsample",
            name="missing_accounts",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.RunPython(delete_unmeasured, migrations.RunPython.noop, elidable=True),
    ]

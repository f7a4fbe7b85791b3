from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keys", "0027_team_sample_missing_accounts")]

    operations = [
        migrations.AddField(
            model_name="offboarding",
            name="is_list_settled",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keys", "0027_team_sample_missing_accounts")]

    operations = [
        migrations.AlterField(
            model_name="savedview",
            name="query",
            field=models.CharField(max_length=8000),
        ),
    ]

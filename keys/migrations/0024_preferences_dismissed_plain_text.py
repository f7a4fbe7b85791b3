from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('keys', '0023_team_samples'),
    ]

    operations = [
        migrations.AddField(
            model_name='preferences',
            name='dismissed_plain_text',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
    ]

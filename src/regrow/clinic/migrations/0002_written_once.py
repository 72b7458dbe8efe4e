"""The database itself refuses to change or delete what is written once; and the table of the shared cache."""

from django.core.management import call_command
from django.db import migrations

ONCE = ("entry", "movement", "decision", "consent", "settingchange", "duty", "logrow")


def refuse_changes(apps, schema_editor):
    tables = [f"clinic_{name}" for name in ONCE]
    if schema_editor.connection.vendor == "sqlite":
        for table in tables:
            for verb in ("UPDATE", "DELETE"):
                schema_editor.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is written once'); END"
                )
        return
    schema_editor.execute(
        "CREATE FUNCTION clinic_written_once() RETURNS trigger AS $$ BEGIN "
        "RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is written once'; END $$ LANGUAGE plpgsql"
    )
    for table in tables:
        for moment, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            schema_editor.execute(
                f"CREATE TRIGGER {table}_no_{moment.split()[0].lower()} BEFORE {moment} ON {table} "
                f"FOR EACH {each} EXECUTE FUNCTION clinic_written_once()"
            )


def cache_table(apps, schema_editor):
    call_command("createcachetable", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("clinic", "0001_first_records")]
    operations = [
        migrations.RunPython(refuse_changes, migrations.RunPython.noop),
        migrations.RunPython(cache_table, migrations.RunPython.noop),
    ]

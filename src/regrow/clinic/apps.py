"""The Django app's name and label."""

from django.apps import AppConfig


class ClinicConfig(AppConfig):
    name = "regrow.clinic"
    label = "clinic"
    verbose_name = "regrow clinic"
    default_auto_field = "django.db.models.BigAutoField"

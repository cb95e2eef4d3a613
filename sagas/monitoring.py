"""Tables that show operators how the shop is: orders counted by hour, the workers that run, and runs of the audit."""

from django.db import models
from django.utils.translation import gettext

from cloudmart.database.clock import DatabaseNow
from cloudmart.database.fields import CharField


class OrderHour(models.Model):
    """The orders that were placed in one hour, counted by style, outcome and error code."""

    hour = models.DateTimeField(primary_key=True, help_text="When it begins, in UTC")
    counts = models.JSONField(default=list, help_text="Lists of style, outcome, error code and number")
    counted_at = models.DateTimeField(help_text="As of when")

    class Meta:
        db_table = "order_hours"

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:%M}"


class WorkerHeartbeat(models.Model):
    """A worker that runs, or that has died: one that stops deletes its row."""

    worker = CharField(primary_key=True, max_length=64, help_text="Host and process id")
    started_at = models.DateTimeField(default=DatabaseNow)
    seen_at = models.DateTimeField(default=DatabaseNow, help_text="Written every few seconds")
    errors = models.JSONField(default=dict, help_text="The error of each task whose last run has failed")

    class Meta:
        db_table = "worker_heartbeats"

    def __str__(self) -> str:
        return self.worker


class AuditRun(models.Model):
    """A run of the audit that an operator has requested, and what it has found."""

    requested_by = CharField(max_length=150)
    requested_at = models.DateTimeField(default=DatabaseNow, editable=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = CharField(max_length=64, blank=True, help_text="Who runs it, or has run it")
    lease_until = models.DateTimeField(null=True, help_text="After this time another worker runs it again")
    fence = models.PositiveIntegerField(default=0, help_text="How often a worker has acquired its lease")
    findings = models.JSONField(default=list, help_text="The finding of each invariant, in order")
    holds = models.BooleanField(null=True, help_text="Every invariant holds; null until it is finished")

    class Meta:
        db_table = "audit_runs"
        permissions = [("run_audit", "Can have the audit run")]

    def __str__(self) -> str:
        return gettext("%(number)s of %(requester)s") % {"number": self.pk, "requester": self.requested_by}

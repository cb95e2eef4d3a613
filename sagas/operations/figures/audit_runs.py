"""Runs of the audit that operators request. A worker runs each, under a lease that runs by the database's clock."""

import logging
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from cloudmart.database.clock import DatabaseNow, from_now
from cloudmart.database.invariants import Finding
from cloudmart.database.options import unlimited_statement_time
from cloudmart.database.transactions import durable
from cloudmart.kernel.redaction import redacted
from cloudmart.kernel.stopping import ShouldStop, never
from sagas.models import AuditRun
from sagas.operations.audit.audit import audit
from sagas.operations.figures.workers import worker_name

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""Longer than checking one invariant takes. It is extended after each."""
OFFENDERS = 20
"""How many offenders are named of each invariant."""
KEPT_FOR = timedelta(days=90)


def unfinished() -> QuerySet[AuditRun]:
    return AuditRun.objects.filter(finished_at=None)


@durable
def request_run(actor: str) -> tuple[AuditRun, bool]:
    """Requests a run. Returns it and True; if one is requested already, that one and False."""
    if run := unfinished().order_by("pk").first():
        return run, False
    return AuditRun.objects.create(requested_by=actor), True


def run_requested(should_stop: ShouldStop = never) -> int:
    """Runs the audit if a run is requested and no other worker has it. Returns how many runs it has finished.

    An error finishes the run, with `holds` null and the error as its last finding, and is raised again.
    """
    run = _free().order_by("pk").first()
    if run is None or not _acquire(run):
        return 0
    try:
        return int(_run(run, should_stop))
    except Exception as error:
        text = redacted(f"{type(error).__name__}: {error}")
        broken = asdict(Finding("error", "The audit could not be completed.", 0, (text,), False, 0))
        findings = AuditRun.objects.values_list("findings", flat=True).get(pk=run.pk)
        _store(run, findings=[*findings, broken], finished_at=DatabaseNow(), lease_until=None)
        raise


@durable
def delete_old_runs() -> int:
    """Returns how many runs it has deleted."""
    deleted, _ = AuditRun.objects.filter(requested_at__lt=DatabaseNow() - KEPT_FOR).delete()
    return deleted


def _free() -> QuerySet[AuditRun]:
    return unfinished().filter(Q(lease_until=None) | Q(lease_until__lte=DatabaseNow()))


@durable
def _acquire(run: AuditRun) -> bool:
    """Returns False if another worker was faster."""
    lease = {"worker": worker_name(), "lease_until": from_now(LEASE), "fence": F("fence") + 1}
    if not _free().filter(pk=run.pk, fence=run.fence).update(**lease, started_at=DatabaseNow(), findings=[]):
        return False
    run.fence += 1
    return True


def _run(run: AuditRun, should_stop: ShouldStop) -> bool:
    """Returns False if the worker is to stop, or has lost the lease: then another one begins again."""
    findings: list[dict[str, Any]] = []
    with unlimited_statement_time():
        for finding in audit(OFFENDERS):
            findings.append(asdict(finding))
            if should_stop():
                _store(run, lease_until=None)
                return False
            if not _store(run, findings=findings, lease_until=from_now(LEASE)):
                logger.info("lease of audit run %s lost", run.pk)
                return False
    holds = not any(finding["offenders"] for finding in findings)
    return _store(run, holds=holds, finished_at=DatabaseNow(), lease_until=None)


@durable
def _store(run: AuditRun, **columns: Any) -> bool:
    """Returns False if another worker has acquired the lease."""
    return bool(unfinished().filter(pk=run.pk, fence=run.fence).update(**columns))

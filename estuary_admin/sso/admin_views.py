"""For admins: what single sign-on sees, and which identity is which member."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import admins_only
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.sso.doctor import arrived, diagnose
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.models import Identity

SHOWN = 100


@require_safe
@admins_only
def sso_doctor(request: HttpRequest) -> HttpResponseBase:
    context = {
        "sso": settings.SSO,
        "findings": diagnose(request.META, settings.SSO),
        "headers": arrived(request.META, settings.SSO),
    }
    return render(request, "sso/sso_doctor.html", context)


@require_safe
@admins_only
def identities(request: HttpRequest) -> HttpResponseBase:
    known = Identity.objects.select_related("member").order_by("-last_seen")
    context = {
        "pending": known.filter(state=Identity.State.PENDING)[:SHOWN],
        "linked": known.filter(state=Identity.State.LINKED)[:SHOWN],
        "shown": SHOWN,
    }
    return render(request, "sso/identities.html", context)


@require_POST
@admins_only
@fresh_proof(back="sso_identities")
def identity_link(request: HttpRequest, pk: int) -> HttpResponseBase:
    """From now on this identity is that member, with all that the member has connected."""
    identity = get_object_or_404(Identity, pk=pk, state=Identity.State.PENDING)
    identity.state = Identity.State.LINKED
    identity.save(update_fields=["state"])
    tell(request, Event.IDENTITY_LINKED, None, **_named(identity))
    messages.success(request, f"Linked to {identity.member.get_username()}.")
    return redirect("sso_identities")


@require_POST
@admins_only
@fresh_proof(back="sso_identities")
def identity_remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Forget it; who brings it again is somebody new. Sessions begun with it end."""
    identity = get_object_or_404(Identity, pk=pk)
    if identity.member == request.user and not identity.is_pending:
        messages.error(request, "This is your own identity: another admin must remove it.")
        return redirect("sso_identities")
    tell(request, Event.IDENTITY_REMOVED, None, **_named(identity))
    identity.delete()
    messages.success(request, "Identity removed.")
    return redirect("sso_identities")


def _named(identity: Identity) -> dict[str, str]:
    return {
        "name": identity.member.get_username(),
        "source": identity.source,
        "stable_id": identity.stable_id,
    }

"""Admin pages that link identities of single sign-on to members, and remove them."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import admins_only
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.sso.events import Event, tell
from estuary_admin.sso.models import Identity

MAX_ROWS_SHOWN = 100


@require_safe
@admins_only
def identities(request: HttpRequest) -> HttpResponseBase:
    known = Identity.objects.select_related("member").order_by("-last_seen")
    context = {
        "pending": known.filter(state=Identity.State.PENDING)[:MAX_ROWS_SHOWN],
        "linked": known.filter(state=Identity.State.LINKED)[:MAX_ROWS_SHOWN],
        "shown": MAX_ROWS_SHOWN,
    }
    return render(request, "sso/identities.html", context)


@require_POST
@admins_only
@fresh_proof(back="sso_identities")
def identity_link(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Let this identity sign in as the member, with everything the member has connected."""
    identity = get_object_or_404(Identity, pk=pk, state=Identity.State.PENDING)
    identity.state = Identity.State.LINKED
    with transaction.atomic():
        identity.save(update_fields=["state"])
        tell(request, Event.IDENTITY_LINKED, None, identity.member, **_detail_of(identity))
    messages.success(request, f"Linked to {identity.member.get_username()}.")
    return redirect("sso_identities")


@require_POST
@admins_only
@fresh_proof(back="sso_identities")
def identity_remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Remove the identity and end its sessions; it counts as new when it comes again."""
    identity = get_object_or_404(Identity, pk=pk)
    if identity.member == request.user and not identity.is_pending:
        messages.error(request, "This is your own identity: another admin must remove it.")
        return redirect("sso_identities")
    with transaction.atomic():
        tell(request, Event.IDENTITY_REMOVED, None, identity.member, **_detail_of(identity))
        identity.delete()
    messages.success(request, "Identity removed.")
    return redirect("sso_identities")


def _detail_of(identity: Identity) -> dict[str, str]:
    return {
        "name": identity.member.get_username(),
        "source": identity.source,
        "stable_id": identity.stable_id,
    }

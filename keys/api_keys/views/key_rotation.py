"""The overlap of a key that is being replaced: end the old key now, or let it work longer."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys import key_lists, rotation_end
from keys.api_keys.forms import RotationForm
from keys.api_keys.rotation_end import BeingEnded, NotLater, UsedByConsole
from keys.api_keys.rotations import deadline_of, open_rotation_of
from keys.api_keys.rows import rows_of
from keys.api_keys.views.key_revoke import tell_absence, tell_revocation
from keys.http import AppRequest, render_page
from keys.models import Rotation
from keys.templatetags.formats import exact_moment
from keys.throttles import TooOften
from keys.upstream import UpstreamError

NOT_MADE_YET = (
    "It is not known yet whether a new key was made to replace this one, so there is nothing to "
    "change. Look again in a few minutes."
)


@require_http_methods(["GET", "HEAD", "POST"])
@connected
@fresh_proof(keep=("overlap", "custom_overlap"))
@upstream_errors_shown
def key_rotation(request: AppRequest, token_hash: str) -> HttpResponse:
    listed = key_lists.list_for(request.stored_token, actor_of(request), token_hash)
    key = listed.find(token_hash)
    if key is None:
        return tell_absence(request, token_hash, listed.doubt_about(token_hash))
    rotation = open_rotation_of(token_hash)
    if rotation is None or not rotation.has_overlap:
        return _without_overlap(request, token_hash, rotation)
    rotation.deadline = deadline_of(rotation)
    [row] = rows_of([key], request.stored_token.token_hash, listed.node_now(timezone.now()))
    is_posted = request.method == "POST"
    form = RotationForm(request.POST if is_posted else None, initial=_initial(request))
    if is_posted and form.is_valid() and (response := _changed(request, rotation, form)):
        return response
    context = {
        "form": form,
        "row": row,
        "rotation": rotation,
        "stays_connected": row.is_own and not rotation.sealed_candidate,
        "clock_ahead": listed.clock_shift,
    }
    return render_page(request, "keys/key_rotation.html", context)


def _initial(request: AppRequest) -> dict[str, str]:
    kept = interrupted_forms.kept(request)
    if kept.get("overlap") == "now":  # the button to end it, which is not among the choices
        kept = {}
    return {"overlap": "7d"} | kept


def _without_overlap(
    request: AppRequest, token_hash: str, rotation: Rotation | None
) -> HttpResponse:
    is_begun = rotation is not None and not rotation.keeps_old
    messages.info(request, NOT_MADE_YET if is_begun else "This key is not being replaced.")
    return go_to(request, reverse("keys:key_detail", args=[token_hash]))


def _changed(request: AppRequest, rotation: Rotation, form: RotationForm) -> HttpResponse | None:
    """Change the overlap; None when nothing was changed: the form says why."""
    try:
        if form.ends_now:
            return _ended(request, rotation)
        rotation_end.extend(actor_of(request), rotation, form.overlap_time)
    except UsedByConsole as error:
        messages.warning(request, error.sentence, extra_tags="sticky")
        return go_to(request, reverse("keys:key_revoke", args=[rotation.old_hash]))
    except BeingEnded as error:
        messages.warning(request, error.sentence)
    except NotLater as error:
        form.add_error("overlap", error.sentence)
        return None
    else:
        end = f"{exact_moment(rotation.ends_at)}{rotation.end_reason}"
        messages.success(request, f"The old key ends {end}.")
    return go_to(request, reverse("keys:key_detail", args=[rotation.old_hash]))


def _ended(request: AppRequest, rotation: Rotation) -> HttpResponse:
    try:
        result = rotation_end.end_now(actor_of(request), request.stored_token, rotation)
    except (UpstreamError, TooOften) as error:
        text = f"The old key has not ended. {error.sentence} This console tries again by itself."
        messages.error(request, text, extra_tags="sticky")
        return go_to(request, reverse("keys:key_detail", args=[rotation.old_hash]))
    return tell_revocation(request, result, f"Key {rotation.fingerprint}")

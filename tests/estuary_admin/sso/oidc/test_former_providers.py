"""Sessions of a provider that is no longer configured."""

from __future__ import annotations

from dataclasses import replace

from django.conf import LazySettings

from estuary_admin.sso.config import Config, Provider
from keys.audit.vocabulary import Action
from tests.estuary_admin.sso.conftest import use
from tests.estuary_admin.sso.oidc.conftest import sign_in
from tests.estuary_admin.sso.oidc.scripted_provider import ScriptedProvider
from tests.keys.evidence import last_row

PAGE = "/stats/"


def test_removing_a_provider_ends_its_sessions(
    provider: ScriptedProvider, settings: LazySettings, oidc: Config
) -> None:
    client = sign_in(provider).client
    assert client.get(PAGE)["Location"] == "/account/token/"

    other = Provider("other", "Other", "https://id.example.org", "console")
    use(settings, replace(oidc, providers=(other,)))

    assert client.get(PAGE)["Location"].startswith("/accounts/login/")
    assert last_row(Action.SSO_SESSION_ENDED).detail == {"reason": "identity-removed"}

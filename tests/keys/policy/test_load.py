"""The policy of the environment."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from keys.policy.load import current_policy
from keys.policy.rules import NoEnd, Policy
from keys.upstream import Permission
from tests.support.console import ROOT


@pytest.fixture
def policy(settings: Any) -> Any:
    def given(**values: str) -> Policy:
        settings.POLICY = settings.POLICY | {f"POLICY_{name}": one for name, one in values.items()}
        return current_policy()

    return given


def test_without_variables_everything_is_allowed() -> None:
    assert current_policy() == Policy()


def test_every_rule_comes_from_its_variable(policy: Any) -> None:
    found = policy(
        LONGEST_LIFETIME="90d",
        NO_END="admins",
        PERMISSIONS="all, upload",
        DEFAULT_PERMISSION="all",
        LABEL_PATTERN="[a-z-]+",
        LABEL_EXAMPLE="ci-backup",
        PURPOSE_REQUIRED="true",
        MAX_KEYS="20",
    )

    assert found.longest_lifetime == timedelta(days=90)
    assert found.no_end is NoEnd.ADMINS
    assert found.permissions == (Permission.UPLOAD, Permission.ALL)
    assert found.default_permission is Permission.ALL
    assert found.label_pattern.pattern == "[a-z-]+"
    assert (found.label_example, found.is_purpose_required, found.max_keys) == (
        "ci-backup",
        True,
        20,
    )


def test_a_longest_lifetime_forbids_keys_without_end_unless_it_is_said_otherwise(
    policy: Any,
) -> None:
    assert policy(LONGEST_LIFETIME="90d").no_end is NoEnd.FORBID
    assert policy(LONGEST_LIFETIME="90d", NO_END="allow").no_end is NoEnd.ALLOW


def test_the_default_permission_is_an_allowed_one(policy: Any) -> None:
    assert policy(PERMISSIONS="all").default_permission is Permission.ALL


WRONG = [
    ("LONGEST_LIFETIME", "90"),
    ("LONGEST_LIFETIME", "soon"),
    ("LONGEST_LIFETIME", "20000d"),
    ("NO_END", "perhaps"),
    ("PERMISSIONS", "read"),
    ("PERMISSIONS", ","),
    ("DEFAULT_PERMISSION", "everything"),
    ("LABEL_PATTERN", "("),
    ("LABEL_PATTERN", "(?=x)y"),
    ("LABEL_PATTERN", "[a-z]{1,9999}"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_with_a_sentence(policy: Any, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"POLICY_{name} is .*; give "):
        policy(**{name: value})


@pytest.mark.parametrize("example", [" ", "ci ", "a\u200b", "a\nb"])
def test_the_example_is_a_label_that_the_form_accepts(policy: Any, example: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="POLICY_LABEL_EXAMPLE"):
        policy(LABEL_PATTERN="(?s).*", LABEL_EXAMPLE=example)


@pytest.mark.parametrize("example", ["", "Backup", "a" * 201])
def test_a_label_pattern_needs_an_example_that_it_matches(policy: Any, example: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="POLICY_LABEL_EXAMPLE"):
        policy(LABEL_PATTERN="[a-z]+", LABEL_EXAMPLE=example)


def test_a_default_outside_of_the_allowed_permissions_is_refused(policy: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="POLICY_DEFAULT_PERMISSION"):
        policy(PERMISSIONS="upload", DEFAULT_PERMISSION="all")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLICY_NO_END", "perhaps"),
        ("POLICY_LABEL_PATTERN", "[a-z]+"),
        ("POLICY_PURPOSE_REQUIRED", "yes"),
        ("POLICY_MAX_KEYS", "many"),
    ],
)
def test_a_wrong_value_stops_the_start(name: str, value: str) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "estuary_admin.settings",
        "DATA_DIR": str(settings.DATA_DIR),
        name: value,
    }
    started = subprocess.run(
        [sys.executable, "-c", "import estuary_admin.wsgi"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode != 0
    assert started.stderr.startswith("POLICY_")
    assert "give " in started.stderr

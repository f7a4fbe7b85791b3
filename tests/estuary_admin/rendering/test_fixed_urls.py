"""Addresses in templates: worked out once where nothing can change them, and only there."""

from __future__ import annotations

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template import Context, Template
from django.urls import NoReverseMatch


def test_a_fixed_address_is_that_of_its_view() -> None:
    template = Template("{% url 'keys:key_list' %} {% url 'keys:key_list' %}")

    assert template.render(Context()) == template.render(Context()) == "/keys/ /keys/"


def test_an_address_with_a_parameter_follows_it() -> None:
    template = Template("{% url 'keys:key_detail' token_hash %}")

    pages = [template.render(Context({"token_hash": letter * 43})) for letter in "ab"]

    assert pages == [f"/keys/{letter * 43}/" for letter in "ab"]


def test_an_address_whose_view_is_told_by_a_variable_follows_it() -> None:
    template = Template("{% url view %}")

    assert [template.render(Context({"view": view})) for view in ("keys:stats", "home")] == [
        "/stats/",
        "/",
    ]


def test_an_address_can_be_given_a_name() -> None:
    template = Template("{% url 'keys:stats' as there %}[{{ there }}]")

    assert template.render(Context()) == "[/stats/]"


def test_an_address_that_does_not_exist_is_an_error_only_where_it_is_shown() -> None:
    template = Template("{% if shown %}{% url 'nowhere' %}{% endif %}")

    assert template.render(Context({"shown": False})) == ""
    with pytest.raises(NoReverseMatch):
        template.render(Context({"shown": True}))


def test_a_file_has_the_address_that_its_storage_gives_it() -> None:
    template = Template("{% static 'css/console.css' %}")

    assert template.render(Context()) == staticfiles_storage.url("css/console.css")

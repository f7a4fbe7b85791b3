"""A plain page as the yardstick: what Django itself takes for the same list.

Sessions, sign-in, one `requests` call to the node and ten rows in one template, without anything
that the console does beside or to save time. It is served by gunicorn with the console's
configuration, and uses the console's database and sessions.
"""

from __future__ import annotations

import os
from typing import Any

import django
import requests
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import URLPattern, path

from estuary_admin import settings as console

TEMPLATE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Keys</title></head>
<body><header>{{ user.get_username }}</header><main><h1>Keys</h1><table><tbody>
{% for key in keys %}<tr id="key-{{ key.tokenHash }}"><th scope="row">
<a href="/keys/{{ key.tokenHash }}/">{{ key.label|default:"No label" }}</a></th>
<td>{{ key.tokenHash|slice:":8" }}</td><td>{{ key.expiry }}</td>
<td>{% if key.isSession %}Session{% else %}API key{% endif %}</td>
<td><a href="/keys/{{ key.tokenHash }}/revoke/">Revoke</a></td></tr>{% endfor %}
</tbody></table></main></body></html>"""

if not settings.configured:
    settings.configure(
        SECRET_KEY=console.SECRET_KEY,
        ALLOWED_HOSTS=["*"],
        DATABASES=console.DATABASES,
        ROOT_URLCONF="bench.plain_page",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                    ]
                },
            }
        ],
    )
    django.setup()

_http = requests.Session()
_template = engines["django"].from_string(TEMPLATE)


@login_required
def plain(request: HttpRequest) -> HttpResponse:
    token = os.environ["PLAIN_PAGE_TOKEN"]
    reply = _http.get(
        f"{os.environ['ESTUARY_API_URL']}/user/api-keys",
        headers={"Authorization": f"Bearer {token}"},
        timeout=15,
    )
    context: dict[str, Any] = {"keys": reply.json()}
    return HttpResponse(_template.render(context, request))


def healthz(_: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns: list[URLPattern] = [path("plain/", plain), path("healthz", healthz)]
application = get_wsgi_application()

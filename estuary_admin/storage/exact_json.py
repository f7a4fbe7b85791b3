"""Django's JSON for `dumpdata` and `loaddata`, with whole microseconds.

Django cuts times to milliseconds. The audit's chain covers microseconds, so that a database that is
moved by these commands would be told to have been changed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.serializers.json import Deserializer, DjangoJSONEncoder
from django.core.serializers.json import Serializer as JSONSerializer

__all__ = ["Deserializer", "Serializer"]


class ExactEncoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


class Serializer(JSONSerializer):
    def _init_options(self) -> None:
        super()._init_options()  # type: ignore[misc] # the stubs lack it
        self.json_kwargs["cls"] = ExactEncoder

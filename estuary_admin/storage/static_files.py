"""Static files as the browser gets them: without comments and indentation, under hashed names.

A file that is collected under its own name stays as it was written. Its hashed copy, which pages
name, is minified: a quarter of our scripts' bytes on the wire are comments and indentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from rcssmin import cssmin
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class MinifiedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    def post_process(
        self, paths: dict[str, tuple[Storage, str]], *args: Any, **options: Any
    ) -> Iterator[Any]:
        minified = {name: (_MinifiedSource(source), path) for name, (source, path) in paths.items()}
        yield from super().post_process(minified, *args, **options)

    def file_hash(self, name: str | None, content: File[bytes] | None = None) -> str | None:
        """Equal for a source file and for its minified text, so that both name the same file."""
        minify = _minifier(name or "")  # the manifest has no name
        if content is not None and minify:
            content = _minified(content, minify)
        digest: str | None = super().file_hash(name, content)
        return digest


class _MinifiedSource:
    """A storage of source files that are minified when they are read."""

    def __init__(self, source: Storage) -> None:
        self._source = source

    def open(self, path: str) -> File[bytes]:
        file, minify = self._source.open(path), _minifier(path)
        if not minify:
            return file
        with file:
            return _minified(file, minify)


def _minifier(path: str) -> Callable[[str], str] | None:
    if path.endswith((".min.js", ".min.css")):
        return None
    return jsmin if path.endswith(".js") else cssmin if path.endswith(".css") else None


def _minified(file: File[bytes], minify: Callable[[str], str]) -> File[bytes]:
    file.seek(0)
    return ContentFile(minify(file.read().decode()).encode())

"""nginx and Apache around the configurations of docs/sso.md."""

from __future__ import annotations

import os
from pathlib import Path

from tests.docs.pages import block
from tests.proxies.provider import Provider
from tests.proxies.verifier import Verifier
from tests.support.console import Console

SITE = "keys.example.com"
NGINX = """
daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log stderr;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port}{tls};
    {others}
    {recipe}
  }}
}}
"""
APACHE_MODULES = "/usr/lib/apache2/modules"
LOADED = "mpm_event authz_core authz_user authn_core proxy proxy_http headers env ssl auth_openidc"
APACHE = """
ServerName {site}
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
{modules}
{user}
{tls}
OIDCProviderMetadataURL {provider}/.well-known/openid-configuration
OIDCClientID console
OIDCClientSecret anything
OIDCRedirectURI {address}/oidc-callback
OIDCCryptoPassphrase only-for-this-test
OIDCScope "openid profile email"
OIDCRemoteUserClaim sub
OIDCRedirectURLsAllowed ^{provider}/
{recipe}
"""


def write_nginx(
    folder: Path,
    port: int,
    verifier: Verifier,
    console: Console,
    *,
    is_https: bool,
    others: str = "",
) -> list[str]:
    """Write a configuration with the page's recipe; returns nginx's arguments."""
    recipe = block("sso.md", "auth_request /verify").text
    recipe = recipe.replace("127.0.0.1:8000", f"127.0.0.1:{console.port}")
    recipe = recipe.replace("127.0.0.1:9000", f"127.0.0.1:{verifier.port}")
    files = f" ssl; ssl_certificate {folder}/site.crt; ssl_certificate_key {folder}/site.key"
    written = NGINX.format(
        folder=folder, port=port, tls=files if is_https else "", others=others, recipe=recipe
    )
    (folder / "nginx.conf").write_text(written)
    return ["-p", str(folder), "-c", str(folder / "nginx.conf")]


def write_apache(
    folder: Path, port: int, provider: Provider, console: Console, *, is_https: bool
) -> list[str]:
    """Write a configuration with the page's recipe; returns Apache's arguments."""
    loads = [f"LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so" for name in LOADED.split()]
    files = f"SSLCertificateFile {folder}/site.crt\nSSLCertificateKeyFile {folder}/site.key"
    recipe = block("sso.md", "OIDCPassClaimsAs").text
    written = APACHE.format(
        site=SITE if is_https else "localhost",
        address=f"https://{SITE}" if is_https else f"http://localhost:{port}",
        port=port,
        folder=folder,
        modules="\n".join(loads),
        user="User www-data\nGroup www-data" if os.getuid() == 0 else "",
        tls=f"SSLEngine on\n{files}" if is_https else "",
        provider=provider.url,
        recipe=recipe.replace("127.0.0.1:8000", f"127.0.0.1:{console.port}"),
    )
    (folder / "apache.conf").write_text(written)
    return ["-d", str(folder), "-f", str(folder / "apache.conf"), "-DFOREGROUND"]

"""The shipped proxy files, with the ports of a test and without TLS."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.support.console import ROOT
from tests.support.programs import Running, program

DEPLOY = ROOT / "deploy"
#: The folders of tests belong to the user that runs them.
USER = "user root;" if os.getuid() == 0 else ""
NGINX = """
{user} daemon off; pid {folder}/nginx.pid; worker_processes 1; error_log stderr;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include estuary-admin/estuary-admin.conf;
}}
"""


def nginx(folder: Path, port: int, *consoles: int) -> Running:
    """nginx on a port, in front of consoles on theirs."""
    found = program("nginx", "nginx-light")
    shipped = folder / "estuary-admin"
    shipped.mkdir()
    for file in (DEPLOY / "nginx").iterdir():
        text = nginx_without_tls(file.read_text(), port, *consoles)
        (shipped / file.name).write_text(in_folder(text, folder))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=USER))
    command = [found, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return Running(command, port, folder / "nginx.log")


def nginx_with_tls(folder: Path, port: int, console: int, certificate: Path) -> Running:
    """The same with TLS, with a file that holds a certificate for localhost and its key.

    One port for http and https: a test cannot have port 80.
    """
    found = program("nginx", "nginx-light")
    shipped = folder / "estuary-admin"
    shipped.mkdir()
    listen = f"listen 127.0.0.1:{port} ssl http2;\n    error_page 497 =301 https://$http_host/;"
    for file in (DEPLOY / "nginx").iterdir():
        text = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", file.read_text(), flags=re.DOTALL)
        text = re.sub(r"^\s*listen \[::\].*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"/etc/ssl/\S+\.(pem|key);", f"{certificate};", text)
        text = text.replace("listen 443 ssl http2;", listen)
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{console}")
        text = text.replace("keys.example.com", "localhost").replace(
            "Host $host;", "Host $http_host;"
        )
        (shipped / file.name).write_text(in_folder(text, folder))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=USER))
    command = [found, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return Running(command, port, folder / "nginx.log")


def in_folder(text: str, folder: Path) -> str:
    """Replace nginx's own folders by one of the test."""
    return text.replace("/var/log/nginx/", f"{folder}/").replace("/etc/nginx/", f"{folder}/")


def nginx_without_tls(text: str, port: int, *consoles: int) -> str:
    text = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*(listen \[::\]|ssl_).*\n", "", text, flags=re.MULTILINE)
    servers = "".join(f"server 127.0.0.1:{console}\\1;\n" for console in consoles)
    text = re.sub(r"server 127\.0\.0\.1:8000( .*);", servers, text)
    return (
        text.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{port};")
        .replace("keys.example.com", "localhost")
        .replace("Host $host;", "Host $http_host;")
    )


def caddy(folder: Path, port: int, *consoles: int, site: str = "Caddyfile") -> Running:
    found = program("caddy", "caddy")
    shipped = folder / "estuary-admin"
    shipped.mkdir()
    upstreams = " ".join(f"127.0.0.1:{one}" for one in consoles)
    for file in (DEPLOY / "caddy").iterdir():
        text = file.read_text().replace("/etc/caddy/", f"{folder}/")
        address = f"\nhttp://localhost:{port} {{\n\tbind 127.0.0.1"
        text = re.sub(r"\n(keys\.example\.com|example\.org) \{", address, text)
        (shipped / file.name).write_text(text.replace("127.0.0.1:8000", upstreams))
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\nimport {shipped / site}\n")
    command = [found, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return Running(command, port, folder / "caddy.log", **homes)


def caddy_below_a_path(folder: Path, port: int, *consoles: int) -> Running:
    return caddy(folder, port, *consoles, site="Caddyfile.below-a-path")


def nginx_below_a_path(folder: Path, port: int, *consoles: int) -> Running:
    """A server block with another site, which includes the shipped file."""
    running = nginx(folder, port, *consoles)
    common = folder / "estuary-admin" / "estuary-admin.conf"
    without_servers = re.sub(
        r"^server \{\n.*?^\}\n", "", common.read_text(), flags=re.DOTALL | re.M
    )
    common.write_text(
        without_servers
        + f"""
server {{
    listen 127.0.0.1:{port};
    client_max_body_size 50m;
    access_log {folder}/site.log combined;
    include estuary-admin/below-a-path.conf;
    location / {{ return 200 "Another site"; }}
}}
"""
    )
    return running

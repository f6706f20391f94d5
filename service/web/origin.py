"""Whether a request that changes something comes from our own page.

A browser sends a form of any site to any address that it reaches, so a page elsewhere could replay studies. Browsers say where
a form came from; programs that are no browsers say nothing and are let through.
Source: OWASP Cross-Site Request Forgery Prevention, "Verifying Origin With Standard Headers".
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from service.web.problems import WebProblem


def refuse_other_sites(request: Request) -> None:
    """Let pass what our own pages and programs send.

    Raises:
        WebProblem: Another site sent it (403).
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if site not in {None, "same-origin", "none"} or (site is None and elsewhere):
        raise WebProblem(
            403, "forbidden", "This is accepted from the service's own pages only. Behind a proxy: pass the Host header on."
        )

"""The web application: API, pages, problems and headers put together."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from service.store.index import Index
from service.web import api, metrics, openapi, orders, pages, problems
from service.web.headers import SecurityHeaders
from service.web.info import ServiceInfo

HERE = Path(__file__).parent
DESCRIPTION = """
What the service received, what it decided and why, and where the results went.

Every error is problem details of RFC 9457 (`application/problem+json`). Times are UTC. For research use.
"""


def create_app(index: Index, info: ServiceInfo) -> FastAPI:
    """The ASGI application. It reads `index`, passes on what people order, and shows `info`.

    It authenticates nobody: serve it on loopback or behind a proxy that does.
    """
    app = openapi.DescribedApp(
        title="Cryomargin status API",
        version=info.version,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the interactive pages load scripts from elsewhere; /api shows the same without
        redoc_url=None,
    )
    app.state.index, app.state.info = index, info
    app.state.problem_page = pages.problem_page
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    app.include_router(api.router)
    app.include_router(metrics.router)
    app.include_router(orders.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    return app

"""Web service that launches executions and returns their status.

The service needs flytemp's SDK alone: it starts no worker and runs no task. One client serves all requests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, Field

import flytemp
from flytemp.errors import AlreadyExists, InputError, NotFound, TemporalUnavailable


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect once, with the settings that `flytemp config view` shows."""
    client = await flytemp.Client.connect()
    app.state.flytemp = client
    try:
        yield
    finally:
        await client.close()


app = FastAPI(title="Series reports", lifespan=lifespan)


def _client(request: Request) -> flytemp.Client:
    client: flytemp.Client = request.app.state.flytemp
    return client


Client = Annotated[flytemp.Client, Depends(_client)]


class ReportRequest(BaseModel):
    """Request for a report. The name makes repeated requests idempotent."""

    name: str
    measurements: list[float]
    limit: float = Field(default=3.0, gt=0)


class ReportStatus(BaseModel):
    """Phase of a report, and the report when it is finished."""

    name: str
    phase: str
    report: dict[str, Any] | None = None
    error: str | None = None


@app.post("/reports", status_code=202)
async def start_report(wanted: ReportRequest, response: Response, client: Client) -> ReportStatus:
    """Launch and return at once. The execution does not depend on this service."""
    inputs = {"measurements": wanted.measurements, "limit": wanted.limit}
    try:
        handle = await client.launch("series_report", inputs=inputs, name=wanted.name)
    except AlreadyExists as error:
        raise HTTPException(409, error.message) from error
    except InputError as error:
        raise HTTPException(422, error.message) from error
    except TemporalUnavailable as error:
        raise HTTPException(503, error.message) from error
    response.headers["Location"] = f"/reports/{handle.name}"
    return await _status(client, handle.name)


@app.get("/reports/{name}")
async def get_report(name: str, client: Client) -> ReportStatus:
    """Return the report or its phase."""
    return await _status(client, name)


@app.delete("/reports/{name}", status_code=202)
async def cancel_report(name: str, client: Client) -> None:
    """Cancel a report."""
    try:
        await client.execution(name).cancel("cancelled through the service")
    except NotFound as error:
        raise HTTPException(404, error.message) from error


async def _status(client: flytemp.Client, name: str) -> ReportStatus:
    try:
        execution = await client.execution(name).describe()
    except NotFound as error:
        raise HTTPException(404, error.message) from error
    report = (execution.outputs or {}).get("o0")
    error_text = execution.error.message if execution.error else None
    return ReportStatus(name=name, phase=execution.phase, report=report, error=error_text)

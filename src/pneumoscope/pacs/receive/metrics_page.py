"""Answer Prometheus on the port of STOW-RS."""

from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pneumoscope.pacs.errors import LedgerError
from pneumoscope.pacs.metrics import CONTENT_TYPE, NodeMetrics, exposition
from pneumoscope.pacs.receive.authorization import refusal, sentence


@dataclass(frozen=True)
class MetricsPage:
    """The page of metrics.

    Parameters
    ----------
    metrics : NodeMetrics
        What is shown.
    token : str
        Bearer token that a client must present; empty where certificates identify clients.
    """

    metrics: NodeMetrics
    token: str = field(default="", repr=False)

    def routes(self) -> list[Route]:
        """Make the routes.

        Returns
        -------
        list of Route
            One that answers ``GET /metrics``.
        """
        return [Route("/metrics", self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """Show the metrics.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        Response
            Status 200 with the text format of Prometheus, 401 without the token, or 503 if the ledger cannot be read.
        """
        if refused := refusal(request, self.token):
            return refused
        try:
            return Response(await run_in_threadpool(exposition, self.metrics), headers={"Content-Type": CONTENT_TYPE})
        except LedgerError as error:
            return sentence(503, str(error))

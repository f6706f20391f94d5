"""GET /metrics, for Prometheus: what was counted while working, and what there is now."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from service.metrics import REGISTRY
from service.store.gauges import Gauges
from service.web.api import Knows, Reads
from service.web.info import ServiceInfo

# Source: Prometheus text-based format, version 0.0.4.
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def metrics(index: Reads, info: Knows) -> Response:
    """All metrics. Those of receiving are of this process alone; the gauges are read from the index."""
    now = CollectorRegistry()
    now.register(Now(index.gauges(), info))
    return Response(generate_latest(REGISTRY) + generate_latest(now), media_type=MEDIA_TYPE)


class Now(Collector):
    """What there is at this moment."""

    def __init__(self, gauges: Gauges, info: ServiceInfo) -> None:
        self._gauges, self._info = gauges, info

    def collect(self) -> Iterator[Metric]:
        """Each gauge with its values."""
        yield InfoMetricFamily("cryomargin_build", "Who serves.", value={"version": self._info.version})
        yield GaugeMetricFamily("cryomargin_associations_open", "Open associations.", value=self._gauges.open_associations)
        yield GaugeMetricFamily("cryomargin_disk_free_bytes", "Room left for instances.", value=self._info.free_bytes())
        yield self._studies()
        yield self._deliveries()

    def _studies(self) -> Metric:
        family = GaugeMetricFamily("cryomargin_studies", "Studies by state.", labels=["state"])
        for state, number in self._gauges.studies.items():
            family.add_metric([state.value], number)
        return family

    def _deliveries(self) -> Metric:
        family = GaugeMetricFamily(
            "cryomargin_deliveries", "Objects on their way, by destination and state.", labels=["destination", "state"]
        )
        for (destination, state), number in self._gauges.deliveries.items():
            family.add_metric([destination, state.value], number)
        return family

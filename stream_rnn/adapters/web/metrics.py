"""What `/metrics` shows, in Prometheus' text format."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stream_rnn import garbage
from stream_rnn.adapters.web.websocket import Clients
from stream_rnn.midi import messages as midi
from stream_rnn.sessions.status import Status
from stream_rnn.stage import lateness
from stream_rnn.stage.stage import Stage
from stream_rnn.system import peak_memory


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, int]]:
    """What a histogram shows: how many were within each bound, and how many there were in all."""
    edges = [*map(str, bounds), "+Inf"]
    return list(zip(edges, itertools.accumulate(counts), strict=True))


class _StageCollector(Collector):
    def __init__(self, stage: Stage, clients: Clients) -> None:
        self._stage, self._clients = stage, clients

    def collect(self) -> Iterator[Metric]:
        counters, sessions = self._stage.counters, self._stage.sessions.values()
        gauge = GaugeMetricFamily("stream_rnn_sessions", "Sessions by status", labels=["status"])
        for status in Status:
            if status is not Status.CLOSED:
                gauge.add_metric([status.value], sum(s.status is status for s in sessions))
        yield gauge
        for name, value, text in (
            ("symbols", counters.symbols, "Symbols committed"),
            ("errors", counters.errors, "Messages refused"),
            ("stalls", counters.stalls, "Symbols so late that their session's timeline was moved"),
            ("engine_deaths", counters.engine_deaths, "Engines that died"),
            ("osc_refused", counters.osc_refused, "OSC packets refused: malformed or too many"),
            ("osc_late", counters.osc_late, "OSC messages that came after their timetag"),
            ("osc_failed", counters.osc_failed, "OSC messages that failed by a bug in the server"),
            ("midi_deaths", counters.midi_deaths, "MIDI processes that died or hung"),
            ("dropped", self._clients.dropped, "Symbols dropped for slow clients"),
        ):
            yield CounterMetricFamily(f"stream_rnn_{name}", text, value=value)
        up = GaugeMetricFamily("stream_rnn_engine_up", "Whether the engine is running")
        up.add_metric([], self._stage.engines.up)
        yield up
        failing = GaugeMetricFamily(
            "stream_rnn_store_failing", "Whether sessions cannot be stored, as on a full disk"
        )
        failing.add_metric([], counters.store_failing)
        yield failing
        busy = GaugeMetricFamily(
            "stream_rnn_busy", "Share of its time that a process will use", labels=["process"]
        )
        capacity = self._stage.capacity
        engines = [capacity.engine(link) for link in self._stage.engines]
        busy.add_metric(["engine"], max(engines, default=0.0))
        busy.add_metric(["gateway"], capacity.gateway())
        yield busy
        worst = GaugeMetricFamily(
            "stream_rnn_midi_worst_lateness_seconds", "Worst lateness in the last MIDI report"
        )
        worst.add_metric([], counters.midi.worst)
        yield worst
        yield HistogramMetricFamily(
            "stream_rnn_commit_lateness_seconds",
            "Commit time minus due time: negative while symbols are handed out in time",
            buckets=_buckets(lateness.BOUNDS, counters.lateness.counts),
            sum_value=counters.lateness.total,
        )
        yield HistogramMetricFamily(
            "stream_rnn_gateway_garbage_seconds",
            "How long each collection of garbage held up the gateway",
            buckets=_buckets(garbage.BOUNDS, counters.garbage.pauses),
            sum_value=counters.garbage.total,
        )
        yield HistogramMetricFamily(
            "stream_rnn_midi_lateness_seconds",
            "Lateness of MIDI messages: when the driver took each, minus when it was due",
            buckets=_buckets(midi.LATENESS, counters.midi.counts),
            sum_value=counters.midi.total,
        )
        if (peak := peak_memory()) is not None:
            memory = GaugeMetricFamily(
                "stream_rnn_gateway_peak_memory_bytes", "Peak memory of the gateway process"
            )
            memory.add_metric([], peak)
            yield memory


def make_registry(stage: Stage, clients: Clients) -> CollectorRegistry:
    """Builds a registry of the stage's figures."""
    registry = CollectorRegistry()
    registry.register(_StageCollector(stage, clients))
    return registry

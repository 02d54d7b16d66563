"""The totals as Prometheus or OpenMetrics text.

Each series keeps its text until it changes, so a scrape costs what has changed since the last one, and putting together the
rest.
"""

from itertools import accumulate
from typing import NamedTuple

from tracer_proxy.telemetry.catalogue import METRICS, Metric, Type
from tracer_proxy.telemetry.collected import Labels
from tracer_proxy.telemetry.totals import Exemplar, Series, Totals

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_LABELS = "\0"
"""Where the labels of a series go in the lines of its metric."""
_GO_EXPONENT_FROM = 1e6
"""Go writes such a bound with an exponent, and so does every client: a series is told by the text of its ``le``."""


class _Form(NamedTuple):
    """How a metric is written: what stands before all its series, in both formats, and the lines of one of them."""

    head: bytes
    openmetrics_head: bytes
    label_names: Labels
    lines: str


def exposition(totals: Totals, accept: str) -> tuple[bytes, str]:
    """Body and content type of an answer, for the ``Accept`` of the request (empty when it has none)."""
    asked = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if "application/openmetrics-text" in asked:
        return _openmetrics(totals), OPENMETRICS
    return _plain(totals), PLAIN


def _plain(totals: Totals) -> bytes:
    parts: list[bytes] = []
    for name, form in _FORMS.items():
        if family := totals.series[name]:
            parts.append(form.head)
            parts += [series.text or _written(form, labels, series) for labels, series in family.items()]
    return b"".join(parts)


def _openmetrics(totals: Totals) -> bytes:
    parts: list[bytes] = []
    for name, form in _FORMS.items():
        if family := totals.series[name]:
            parts.append(form.openmetrics_head)
            parts += [
                series.text_with_exemplars or _with_exemplars(series.text or _written(form, labels, series), series)
                for labels, series in family.items()
            ]
    return b"".join([*parts, b"# EOF\n"])


def _written(form: _Form, labels: Labels, series: Series) -> bytes:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(form.label_names, labels, strict=True))
    lines = form.lines.replace(_LABELS, pairs.replace("%", "%%"))
    values = series.values
    if len(values) == 1:
        (number,) = values
        numbers: tuple[object, ...] = (int(number) if number == int(number) else number,)
    else:
        *buckets, count = accumulate(values[:-1])
        numbers = (*map(int, buckets), int(count), int(count), values[-1])
    series.text = (lines % numbers).encode(errors="replace")
    return series.text


def _with_exemplars(text: bytes, series: Series) -> bytes:
    if series.exemplars:
        lines = text.split(b"\n")
        for place, exemplar in series.exemplars.items():
            lines[place] += _exemplar(exemplar)
        text = b"\n".join(lines)
    series.text_with_exemplars = text
    return text


def _exemplar(exemplar: Exemplar) -> bytes:
    labels = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f" # {{{labels}}} {exemplar.value!r} {exemplar.at:.3f}".encode()


def _form(metric: Metric) -> _Form:
    help_text = _escaped(metric.help)
    shown_type = "gauge" if metric.type is Type.INFO else metric.type
    base = metric.name.removesuffix("_total" if metric.type is Type.COUNTER else "_info")
    unit = next((f"# UNIT {base} {unit}\n" for unit in ("seconds", "bytes") if base.endswith(f"_{unit}")), "")
    return _Form(
        f"# HELP {metric.name} {help_text}\n# TYPE {metric.name} {shown_type}\n".encode(),
        f"# HELP {base} {help_text}\n# TYPE {base} {metric.type}\n{unit}".encode(),
        metric.labels,
        _lines(metric),
    )


def _lines(metric: Metric) -> str:
    labels = f"{{{_LABELS}}}" if metric.labels else ""
    if metric.type is not Type.HISTOGRAM:
        return f"{metric.name}{labels} %r\n"
    before = f"{_LABELS}," if metric.labels else ""
    bounds = [*map(_bound, metric.buckets), "+Inf"]
    buckets = [f'{metric.name}_bucket{{{before}le="{bound}"}} %d\n' for bound in bounds]
    return "".join([*buckets, f"{metric.name}_count{labels} %d\n{metric.name}_sum{labels} %r\n"])


def _bound(bound: float) -> str:
    if bound < _GO_EXPONENT_FROM:
        return repr(bound)
    mantissa, exponent = f"{bound:.16e}".split("e")
    return f"{mantissa.rstrip('0')}e{exponent}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


_FORMS = {name: _form(metric) for name, metric in METRICS.items()}

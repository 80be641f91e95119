// Beside the waterfall: the selected span, the logs of the trace, and where its time went.
import { html, useMemo, useState } from './vendor/preact.js';
import { requests } from './api.js';
import * as format from './format.js';
import { attributesOf } from './otlp.js';
import { entriesOf } from './log_entries.js';
import { LogLines } from './log_lines.js';
import { timesIn } from './route.js';
import { wordOf } from './query_text.js';
import { idOf, timeByGroup } from './trace_tree.js';
import { Answer, CopyMenu, Empty, Service, copyText, href } from './ui.js';
import { useRequest } from './use_request.js';

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];
// Records of a trace may be written a little before and after its spans.
const LOG_MARGIN = 60_000;
const LOGS_MAX = 500;
const TABS = [['span', 'Span'], ['logs', 'Logs'], ['time', 'Where the time went']];

const timesAround = (trace, margin) => ({ from: trace.beginMillis - margin, to: trace.beginMillis + trace.length / 1000 + margin });

function Attributes({ title, attributes, times, prefix = '' }) {
  const [filter, setFilter] = useState('');
  if (attributes.length === 0) return null;
  const shown = attributes.filter(([key, value]) => `${key} ${value}`.toLowerCase().includes(filter.toLowerCase()));
  return html`<section><h3>${title} <span class="faint">${attributes.length}</span>
      ${attributes.length > 8 && html`<input type="search" placeholder="filter" aria-label=${`Filter ${title}`} value=${filter} onInput=${(event) => setFilter(event.target.value)} />`}</h3>
    <dl class="attributes">${shown.map(([key, value]) => html`<dt>${key}</dt><dd><span class="value">${value}</span>
      <span class="value-tools"><a href=${href('search', [], { ...times, q: wordOf(prefix + key, value) })} title="Traces with this value" aria-label=${`Traces with ${key}=${value}`}>⌕</a><button title="Copy" aria-label=${`Copy ${key}`} onClick=${() => copyText(value)}>⧉</button></span></dd>`)}</dl></section>`;
}

function Events({ events, begin }) {
  if (!events?.length) return null;
  return html`<section><h3>Events <span class="faint">${events.length}</span></h3>${events.map((event) => html`<div class="event"><b>${event.name || 'event'}</b> <span class="soft">at ${format.duration(Number(BigInt(event.timeUnixNano || 0) - begin) / 1000)}</span>
    <dl class="attributes">${attributesOf(event.attributes).map(([key, value]) => html`<dt>${key}</dt><dd><span class=${`value ${key === 'exception.stacktrace' ? 'stack' : ''}`}>${value}</span></dd>`)}</dl></div>`)}</section>`;
}

function Links({ links }) {
  if (!links?.length) return null;
  return html`<section><h3>Links <span class="faint">${links.length}</span></h3>${links.map((link) => html`<div class="event"><a href=${href('trace', [link.traceId], { span: link.spanId })}><code>${link.traceId}</code></a>
    <dl class="attributes">${attributesOf(link.attributes).map(([key, value]) => html`<dt>${key}</dt><dd><span class="value">${value}</span></dd>`)}</dl></div>`)}</section>`;
}

function Span({ trace, span, own, times, onSpan }) {
  const id = idOf(trace, span);
  const request = useRequest(requests.span(trace.id, id, timesAround(trace, 1000)));
  const parent = trace.parent[span];
  const fact = (name, value) => html`<dt>${name}</dt><dd>${value}</dd>`;
  return html`<h2><${Service} name=${trace.services[trace.service[span]]} /><br />${trace.names[trace.name[span]]}</h2>
    <dl class="span-facts">
      ${fact('duration', html`<b>${format.duration(trace.duration[span])}</b> <span class="soft">${format.percent(trace.duration[span] / trace.length)} of the trace</span>`)}
      ${fact('own time', format.duration(own[span]))}${fact('begins at', format.duration(trace.start[span]))}
      ${fact('kind', KINDS[trace.kind[span]])}
      ${fact('status', html`<span class=${trace.status[span] === 2 ? 'bad' : ''}>${STATUSES[trace.status[span]]}</span>`)}
      ${fact('span id', html`<code>${id}</code>`)}
      ${parent >= 0 && fact('parent', html`<button class="link" onClick=${() => onSpan(parent)}>${trace.names[trace.name[parent]]}</button>`)}
    </dl>
    <${Answer} request=${request} label="Reading the span" keep=${false}>${(data) => {
      const resource = data.resourceSpans[0], scope = resource.scopeSpans[0], full = scope.spans[0];
      return html`${full.status?.message && html`<p class="status-message">${full.status.message}</p>`}
        <${Attributes} title="Attributes" attributes=${attributesOf(full.attributes)} times=${times} />
        <${Events} events=${full.events} begin=${trace.beginNanos} /><${Links} links=${full.links} />
        <${Attributes} title="Resource" attributes=${attributesOf(resource.resource?.attributes)} times=${times} prefix="resource." />
        ${(scope.scope?.name || full.traceState) && html`<section><h3>Instrumentation</h3><dl class="attributes">${scope.scope?.name && html`<dt>scope</dt><dd>${scope.scope.name} ${scope.scope.version || ''}</dd>`}${full.traceState && html`<dt>tracestate</dt><dd>${full.traceState}</dd>`}</dl></section>`}
        <p><${CopyMenu} request=${request} /></p>`;
    }}<//>`;
}

function Logs({ trace, span, onSpan }) {
  const [isOfSpan, setOfSpan] = useState(false);
  const id = span >= 0 && isOfSpan ? ` | span_id=\`${idOf(trace, span)}\`` : '';
  const query = `{service_name=~".+"} | trace_id=\`${trace.id}\`${id}`;
  const request = useRequest(requests.logs(timesAround(trace, LOG_MARGIN), query, LOGS_MAX, 'forward'));
  const entries = useMemo(() => entriesOf(request.data), [request.data]);
  return html`<p class="side-tools"><label><input type="checkbox" checked=${isOfSpan} disabled=${span < 0} onChange=${() => setOfSpan(!isOfSpan)} /> of the selected span alone</label>
      <a href=${href('logs', [], { q: query, from: Math.floor(timesAround(trace, LOG_MARGIN).from), to: Math.ceil(timesAround(trace, LOG_MARGIN).to) })}>Open in Logs</a></p>
    <${Answer} request=${request} label="Reading logs">${() =>
      entries.length === 0
        ? html`<${Empty} title="No log lines with this id"><p>Lines are found by their trace id: let your logging library add it, as OpenTelemetry's appenders do.</p><//>`
        : html`<${LogLines} entries=${entries} begin=${trace.beginMillis} withTrace=${false} onSpan=${(spanId) => onSpan(spanId)} />`}<//>`;
}

function Times({ trace, own, path, onSpan }) {
  const [by, setBy] = useState('operation');
  const rows = useMemo(
    () => timeByGroup(trace, own, path, by === 'service' ? (span) => trace.service[span] : (span) => `${trace.service[span]}/${trace.name[span]}`),
    [trace, by],
  );
  return html`<p class="side-tools"><select aria-label="Group" value=${by} onChange=${(event) => setBy(event.target.value)}><option value="operation">by operation</option><option value="service">by service</option></select></p>
    <table class="times"><thead><tr><th>Name</th><th class="n">Spans</th><th class="n">Own time</th><th class="n" title="Part of the trace's duration">Critical</th></tr></thead>
    <tbody>${rows.slice(0, 100).map((row) => html`<tr><td><button class="link" onClick=${() => onSpan(row.span)}><${Service} name=${trace.services[trace.service[row.span]]} />${by === 'operation' && html` ${trace.names[trace.name[row.span]]}`}</button></td>
      <td class="n">${format.count(row.spans)}${row.errors > 0 && html` <span class="bad">${row.errors}!</span>`}</td><td class="n">${format.duration(row.own)}</td>
      <td class="n"><span class="part"><i style=${{ width: `${(100 * row.critical) / trace.length}%` }}></i></span> ${format.percent(row.critical / trace.length)}</td></tr>`)}</tbody></table>`;
}

export function SidePanel({ trace, span, own, path, route, setParams, onSpan }) {
  const tab = route.params.side || 'span';
  const isOpen = Boolean(route.params.span || route.params.side);
  const times = timesIn(route.params);
  const toSpanId = (id) => {
    const at = trace.ids.indexOf(id);
    if (at >= 0 && at % 16 === 0) onSpan(at / 16);
  };
  return html`<aside class=${`side ${isOpen ? 'open' : ''}`} aria-label="Details">
    <div class="tabs"><div class="tab-list" role="tablist">${TABS.map(([name, title]) => html`<button role="tab" aria-selected=${isOpen && tab === name} onClick=${() => setParams({ side: name === 'span' && span >= 0 ? '' : name }, true)}>${title}</button>`)}</div>
      ${isOpen && html`<button class="close" aria-label="Close" title="Close (Esc)" onClick=${() => setParams({ side: '', span: '' }, true)}>✕</button>`}</div>
    ${isOpen && html`<div class="side-body">
      ${tab === 'span' && (span >= 0 ? html`<${Span} key=${span} trace=${trace} span=${span} own=${own} times=${times} onSpan=${onSpan} />` : html`<${Empty} title="No span is selected"><p>Choose a row, or press j.</p><//>`)}
      ${tab === 'logs' && html`<${Logs} trace=${trace} span=${span} onSpan=${toSpanId} />`}
      ${tab === 'time' && html`<${Times} trace=${trace} own=${own} path=${path} onSpan=${onSpan} />`}
    </div>`}
  </aside>`;
}

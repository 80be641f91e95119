// Which service calls which, over the range or in one step of it.
import { html, useEffect, useMemo, useState } from './vendor/preact.js';
import { requests } from './api.js';
import { findingsIn } from './findings.js';
import { FindingRow, useFindings } from './finding_list.js';
import * as format from './format.js';
import { MEASURES, MapGraph } from './map_graph.js';
import { timesIn } from './route.js';
import { around, edgesAt, graphOf, graphOfDependencies, stepAt } from './service_graph.js';
import { wordOf } from './query_text.js';
import { Answer, CopyMenu, Empty, Service, href } from './ui.js';
import { useRequest } from './use_request.js';

const FINDINGS_SHOWN = 8;

// The calls of each step as bars, and the slider below: it chooses a step, and its first place all of them.
function Slider({ graph, at, onMove }) {
  const { windows } = graph;
  const most = Math.max(...windows.map((window) => window.calls), 1);
  const window = windows[at];
  // The middle of a bar is where the slider's knob stands for it; the place before the bars is all of them.
  const slots = windows.length + 1;
  const knob = { width: `calc(${(100 * windows.length) / slots}% + 16px)`, marginLeft: `calc(${50 / slots}% - 8px)` };
  const text = window
    ? `${format.time(window.from, Date.now(), false)} – ${format.time(window.to, window.to, false)}${{ preliminary: ', may still change', missing: ', not computed' }[window.state] || ''}`
    : `all of ${format.time(windows[0].from, Date.now(), false)} – ${format.time(windows.at(-1).to, windows.at(-1).to, false)}`;
  return html`<div class="slider">
    <div class="slider-line"><svg class="slider-bars" viewBox=${`-1 0 ${slots} 24`} preserveAspectRatio="none" aria-hidden="true">
        ${windows.map((one, i) => html`<g class=${`${i === at ? 'on' : ''} ${one.state}`} onClick=${() => onMove(i)}><rect class="hit" x=${i} width="1" height="24" />
          ${one.calls > 0 ? html`<rect class="calls" x=${i + 0.08} width="0.84" y=${23 - (22 * one.calls) / most} height=${1 + (22 * one.calls) / most} /><rect class="errors" x=${i + 0.08} width="0.84" y=${24 - (22 * one.errors) / most} height=${(22 * one.errors) / most} />` : html`<rect class="none" x=${i + 0.08} width="0.84" y="23" height="1" />`}</g>`)}
      </svg>
      <input type="range" style=${knob} min="-1" max=${windows.length - 1} step="1" value=${at} aria-label="Step in time" aria-valuetext=${text} onInput=${(event) => onMove(Number(event.target.value))} /></div>
    <span class="slider-text">${text}</span>
    <button aria-pressed=${at < 0} onClick=${() => onMove(-1)}>Whole range</button>
  </div>`;
}

function EdgeTable({ edges, params, hasDurations }) {
  return html`<table class="red"><thead><tr><th>Caller</th><th>Called</th><th class="n">Calls</th><th class="n">Errors</th>${hasDurations && html`<th class="n">p95</th>`}</tr></thead>
    <tbody>${edges.filter((edge) => edge.calls > 0).map((edge) => html`<tr><td><a href=${href('service', [edge.from], params)}><${Service} name=${edge.from} /></a></td><td><a href=${href('search', [], { ...params, q: wordOf('service', edge.to) })}><${Service} name=${edge.to} /></a></td><td class="n">${format.count(edge.calls)}</td>
      <td class=${`n ${edge.errors ? 'bad' : 'faint'}`}>${format.count(edge.errors)}</td>${hasDurations && html`<td class="n">${format.duration(edge.p95Ms === null ? NaN : edge.p95Ms * 1000)}</td>`}</tr>`)}</tbody></table>`;
}

// Figures of each service, of all steps or of one of the same steps.
function figuresAt(data, window, stepSeconds) {
  const rows = data?.services || [];
  const at = window ? Math.round((window.from - Date.parse(data?.startTime)) / (stepSeconds * 1000)) : -1;
  const one = (row) => (at < 0 ? { calls: row.calls, errors: row.errors, p95Ms: row.durationP95Ms } : { calls: row.callsByStep[at] || 0, errors: row.errorsByStep[at] || 0, p95Ms: row.durationP95MsByStep[at] ?? null });
  return new Map(rows.map((row) => [row.name, one(row)]));
}

// The computed graph; where there is none (yet), the calls out of the spans themselves.
function useGraph(times) {
  const computed = useRequest(requests.graph(times));
  const isOff = computed.state === 'failed' && [404, 501].includes(computed.error.status);
  const isEmpty = isOff || (computed.state === 'done' && computed.data.edges.length === 0);
  const dependencies = useRequest(isEmpty ? requests.dependencies(times) : null);
  const request = isEmpty ? dependencies : computed;
  const graph = useMemo(() => (request.data ? (isEmpty ? graphOfDependencies(request.data) : graphOf(request.data)) : null), [request.data, isEmpty]);
  return { request, graph, isLive: isEmpty, isOff };
}

function Notes({ graph, isLive, isOff, coverage }) {
  if (isLive) return html`<p class="foot">${isOff ? html`Out of the spans of the range: this server computes no steps (<code>insight.enabled</code>), so there is no slider.` : 'Out of the spans of the range: the first steps for the slider are computed two minutes after the end of five minutes.'}</p>`;
  return html`${graph.leftOut > 0 && html`<p class="foot">${format.plural(graph.leftOut, 'edge')} with fewer calls left out: choose a shorter range.</p>`}
    ${coverage && html`<p class="foot">${coverage}</p>`}`;
}

export function MapView({ route, setParams, times, now }) {
  const [dagre, setDagre] = useState(null);
  useEffect(() => void import('./vendor/dagre.js').then((module) => setDagre(module)), []);
  const { request, graph, isLive, isOff } = useGraph(times);
  const stepSeconds = graph?.windows.length > 0 ? (graph.windows[0].to - graph.windows[0].from) / 1000 : 0;
  const services = useRequest(requests.services(times, stepSeconds || undefined));
  const { findings } = useFindings(times);
  const { service = '', by = 'calls' } = route.params;
  const at = graph && route.params.at ? stepAt(graph, Number(route.params.at)) : -1;
  const window = at < 0 ? null : graph.windows[at];
  const all = useMemo(() => (graph ? around(graph.edges, service) : []), [graph, service]);
  const edges = useMemo(() => (graph ? around(edgesAt(graph, at), service) : []), [graph, at, service]);
  const figuresOfAll = useMemo(() => figuresAt(services.data, null, 0), [services.data]);
  const figures = useMemo(() => (window ? figuresAt(services.data, window, stepSeconds) : figuresOfAll), [services.data, window, figuresOfAll]);
  const shown = (window ? findingsIn(findings, window.from, window.to) : findings).filter((one) => !service || one.service === service);
  const params = timesIn(route.params);
  const stepParams = window ? { from: window.from, to: window.to } : params;
  const isTable = route.params.as === 'table';
  return html`<div class="head"><h1>Service map</h1>
      ${service && html`<span class="links">around <${Service} name=${service} /> <button onClick=${() => setParams({ service: '' })}>Show all</button></span>`}
      <span class="head-end">${!isTable && html`<select aria-label="Edges show" value=${by} onChange=${(event) => setParams({ by: event.target.value === 'calls' ? '' : event.target.value }, true)}>${Object.entries(MEASURES).filter(([name]) => name !== 'p95' || !isLive).map(([name, one]) => html`<option value=${name}>edges: ${one.title}</option>`)}</select>`}
        <button aria-pressed=${isTable} onClick=${() => setParams({ as: isTable ? '' : 'table' })}>As a table</button><${CopyMenu} request=${request} /></span></div>
    <${Answer} request=${request} label="Reading calls">${() =>
      !graph || graph.edges.length === 0
        ? html`<${Empty} title="No calls between services in this range"><p>An edge is a span whose parent belongs to another service. Choose a longer range above, or check that your services pass <code>traceparent</code> on.</p><//>`
        : html`${graph.windows.length > 1 && html`<${Slider} graph=${graph} at=${at} onMove=${(next) => setParams({ at: next < 0 ? '' : graph.windows[next].from }, true)} />`}
            ${isTable || !dagre
              ? html`<${EdgeTable} edges=${edges} params=${stepParams} hasDurations=${!isLive} />`
              : html`<${MapGraph} dagre=${dagre} all=${all} edges=${edges} kinds=${graph.kinds} figures=${figures} figuresOfAll=${figuresOfAll} findings=${shown} by=${MEASURES[by] ? by : 'calls'} service=${service} params=${stepParams} />`}
            <${Notes} graph=${graph} isLive=${isLive} isOff=${isOff} coverage=${request.coverage} />
            ${shown.length > 0 && html`<h2 class="findings-title">Findings</h2><ul class="findings" aria-label="Findings">${shown.slice(0, FINDINGS_SHOWN).map((finding) => html`<${FindingRow} finding=${finding} params=${params} now=${now} />`)}</ul>
              ${shown.length > FINDINGS_SHOWN && html`<p class="foot"><a href=${href('findings', [], { ...params, service })}>All ${shown.length} findings</a></p>`}`}`}<//>`;
}

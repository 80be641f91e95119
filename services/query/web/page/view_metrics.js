// PromQL as a chart with a table of its series.
import { html, useMemo, useRef, useState } from './vendor/preact.js';
import { requests, send } from './api.js';
import { Chart } from './chart.js';
import * as format from './format.js';
import { columnsOf, stepOf } from './series.js';
import { timesIn } from './route.js';
import { Answer, CopyMenu, Empty, QueryLine, href } from './ui.js';
import { useRequest } from './use_request.js';

// Lines of a chart.
const LINES_MAX = 40;

const value = (number) => (number === null || !Number.isFinite(number) ? '–' : Math.abs(number) >= 1e4 ? format.count(number) : format.digits(number));

function Series({ all, off, onToggle }) {
  return html`<table class="series"><thead><tr><th></th><th>Series</th><th class="n">last</th><th class="n wide">least</th><th class="n wide">most</th></tr></thead>
    <tbody>${all.map((one) => html`<tr class=${off.has(one.label) ? 'off' : ''}><td><input type="checkbox" checked=${!off.has(one.label)} aria-label=${`Show ${one.label}`} onChange=${() => onToggle(one.label)} /></td>
      <td><i class="dot" style=${{ '--h': one.colour }}></i><code>${one.label}</code></td><td class="n">${value(one.last)}</td><td class="n wide">${value(one.min)}</td><td class="n wide">${value(one.max)}</td></tr>`)}</tbody></table>`;
}

function Names({ times, params }) {
  const request = useRequest(requests.metricNames(times));
  const [filter, setFilter] = useState('');
  return html`<${Answer} request=${request} label="Reading names">${(data) => {
    if (data.data.length === 0)
      return html`<${Empty} title="No metrics in this range"><p>Choose a longer range above, or send some by OTLP to the ingress.</p><//>`;
    const names = data.data.filter((name) => name.includes(filter));
    return html`<div class="names"><h2>${format.plural(data.data.length, 'metric')} <input type="search" aria-label="Filter names" placeholder="filter" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></h2>
      <ul>${names.slice(0, 300).map((name) => html`<li><a href=${href('metrics', [], { ...params, q: /_(total|count|sum)$/.test(name) ? `rate(${name}[5m])` : name })}>${name}</a></li>`)}</ul>
      ${names.length > 300 && html`<p class="foot">The first 300; filter for others.</p>`}</div>`;
  }}<//>`;
}

export function MetricsView({ route, setParams, times }) {
  const query = route.params.q || '';
  const step = stepOf(times);
  const request = useRequest(query ? requests.metrics(times, query, step) : null);
  const { seconds, all } = useMemo(() => columnsOf(request.data, times, step), [request.data]);
  const [off, setOff] = useState(new Set());
  const shown = useMemo(() => all.filter((one) => !off.has(one.label)).slice(0, LINES_MAX), [all, off]);
  const names = useRef(null);
  const suggest = async (text, at) => {
    names.current ||= send(requests.metricNames(times)).then((answer) => answer.data.data, () => []);
    const typed = /[A-Za-z_:][A-Za-z0-9_:]*$/.exec(text.slice(0, at))?.[0] || '';
    if (typed.length < 2) return null;
    const items = (await names.current).filter((name) => name.includes(typed) && name !== typed).slice(0, 12);
    return { from: at - typed.length, to: at, items };
  };
  const toggle = (label) => {
    const next = new Set(off);
    if (!next.delete(label)) next.add(label);
    setOff(next);
  };
  const notes = [...(request.data?.warnings || []), ...(request.data?.infos || [])];
  return html`<div class="head search-head"><${QueryLine} value=${query} label="PromQL" suggest=${suggest} placeholder="sum by (service_name) (rate(http_server_request_duration_seconds_count[5m]))"
      onSubmit=${(typed) => { setOff(new Set()); setParams({ q: typed }); document.activeElement?.blur(); }} /><span class="head-end"><${CopyMenu} request=${request} /></span></div>
    ${!query && html`<${Names} times=${times} params=${timesIn(route.params)} />`}
    <${Answer} request=${request} label="Evaluating">${() =>
      all.length === 0
        ? html`<${Empty} title="No series"><p>The query is well formed, and has no value in this range. <a href=${href('metrics', [], timesIn(route.params))}>All names of metrics</a></p><//>`
        : html`<${Chart} times=${seconds} series=${shown} height=${300} format=${value} label=${query} onZoom=${(from, to) => setParams({ from: Math.round(from), to: Math.round(to), range: '' })} />
            <p class="cost">${format.plural(all.length, 'series', 'series')} in steps of ${format.duration(step * 1e6)} · ${format.duration(request.millis * 1000)}${request.cost && ` · ${request.cost}`}${all.length > LINES_MAX && ` · the ${LINES_MAX} largest are drawn`}</p>
            ${notes.map((note) => html`<p class="bad">${note}</p>`)}
            <${Series} all=${all.slice(0, 200)} off=${off} onToggle=${toggle} />`}<//>`;
}

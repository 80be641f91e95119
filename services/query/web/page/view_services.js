// Services with their rate, errors and durations; and the operations of one.
import { html, useState } from './vendor/preact.js';
import { requests } from './api.js';
import * as format from './format.js';
import { COLUMNS, sortedRows } from './series.js';
import { byService, ordered } from './findings.js';
import { FindingMark, FindingRow, useFindings } from './finding_list.js';
import { timesIn } from './route.js';
import { wordOf } from './query_text.js';
import { Answer, CopyMenu, Empty, Service, Sparkline, href, listKeys } from './ui.js';
import { useRequest } from './use_request.js';

// At most this part of a service's calls fails without being pointed out.
const ERRORS_MARKED = 0.01;
const OPEN_SHOWN = 3;

function Row({ row, at, isOn, seconds, open, link, label, mark }) {
  const part = row.errors / row.calls;
  return html`<tr class=${isOn ? 'on' : ''} data-row=${at} onClick=${open}>
    <td><a href=${link} onClick=${(event) => event.stopPropagation()}>${label}</a>${mark}</td>
    <td class="n">${format.count(row.calls)} <span class="unit">${format.digits(row.calls / seconds)}/s</span></td>
    <td class="wide"><${Sparkline} values=${row.callsByStep} errors=${row.errorsByStep} label="calls and errors over time" /></td>
    <td class=${`n ${part >= ERRORS_MARKED ? 'bad' : ''}`}>${row.errors === 0 ? html`<span class="faint">0</span>` : format.percent(part)}</td>
    <td class="n wide">${format.duration(row.durationP50Ms * 1000)}</td>
    <td class="n">${format.duration(row.durationP95Ms * 1000)}</td>
    <td class="wide"><${Sparkline} values=${row.durationP95MsByStep} label="p95 over time" /></td>
    <td class="n wide">${format.duration(row.durationMaxMs * 1000)}</td>
  </tr>`;
}

function Table({ rows, seconds, sort, onSort, linkOf, labelOf, markOf, onOpen, caption }) {
  const [at, setAt] = useState(0);
  const sorted = sortedRows(rows, sort);
  const head = (name, className = '') => {
    const [, title] = COLUMNS.find(([one]) => one === name);
    return html`<th class=${className} aria-sort=${sort === name ? 'descending' : undefined}><button onClick=${() => onSort(name)}>${title}${sort === name ? ' ↓' : ''}</button></th>`;
  };
  const move = (next) => {
    setAt(next);
    document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: 'nearest' });
  };
  const keys = listKeys({ total: sorted.length, at, onMove: move, onOpen: (i) => onOpen(sorted[i]) });
  return html`<table class="red" tabindex="0" onKeyDown=${keys} ref=${(node) => node && !document.activeElement?.matches('input,select,button,a,table') && node.focus({ preventScroll: true })} aria-label=${caption}>
    <thead><tr>${head('name')}${head('calls', 'n')}<th class="wide"></th>${head('errors', 'n')}${head('p50', 'n wide')}${head('p95', 'n')}<th class="wide"></th>${head('max', 'n wide')}</tr></thead>
    <tbody>${sorted.map((row, i) => html`<${Row} key=${row.name} row=${row} at=${i} isOn=${i === at} seconds=${seconds} link=${linkOf(row)} label=${labelOf(row)} mark=${markOf?.(row)} open=${() => onOpen(row)} />`)}</tbody>
  </table>`;
}

const secondsOf = (data) => (Date.parse(data.endTime) - Date.parse(data.startTime)) / 1000;

// Lists the findings that are open now above the figures: a person on call reads them first.
function OpenFindings({ findings, params, now }) {
  const open = ordered(findings.filter((one) => one.isOpen));
  if (open.length === 0) return null;
  return html`<ul class="findings" aria-label="Open findings">${open.slice(0, OPEN_SHOWN).map((finding) => html`<${FindingRow} finding=${finding} params=${params} now=${now} />`)}</ul>
    ${open.length > OPEN_SHOWN && html`<p class="foot"><a href=${href('findings', [], params)}>All ${open.length} open findings</a></p>`}`;
}

function NoServices() {
  return html`<${Empty} title="No spans in this range">
    <p>Choose a longer range above, or send some: point an OpenTelemetry SDK at the ingress,</p>
    <pre>OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318</pre>
    <p>then read again. <a href=${href('status')}>Status</a> says whether the store answers.</p>
  <//>`;
}

export function ServicesView({ route, go, setParams, times, now }) {
  const request = useRequest(requests.services(times));
  const { findings } = useFindings(times);
  const found = byService(findings);
  const params = timesIn(route.params);
  const filter = route.params.filter || '';
  return html`<div class="head"><h1>Services</h1>
      <input class="filter" data-main="true" type="search" placeholder="Filter by name" aria-label="Filter by name" value=${filter}
        onInput=${(event) => setParams({ filter: event.target.value }, true)} />
      <span class="head-end"><${CopyMenu} request=${request} /></span></div>
    <${Answer} request=${request} label="Reading figures">${(data) => {
      if (data.services.length === 0) return html`<${NoServices} />`;
      const rows = data.services.filter((row) => row.name.toLowerCase().includes(filter.toLowerCase()));
      if (rows.length === 0) return html`<${Empty} title=${`No service has “${filter}” in its name`}><p><button onClick=${() => setParams({ filter: '' })}>Show all</button></p><//>`;
      return html`<${OpenFindings} findings=${findings} params=${params} now=${now} /><${Table} caption="Services" rows=${rows} seconds=${secondsOf(data)} sort=${route.params.sort || 'calls'} onSort=${(sort) => setParams({ sort }, true)}
          linkOf=${(row) => href('service', [row.name], params)} labelOf=${(row) => html`<${Service} name=${row.name} />`} markOf=${(row) => html`<${FindingMark} findings=${found.get(row.name)} link=${href('findings', [], { ...params, service: row.name })} />`}
          onOpen=${(row) => go({ view: 'service', args: [row.name], params })} />
        <p class="foot">Calls that enter a service (server and consumer spans; all spans where there are none), in steps of ${format.duration(data.stepSeconds * 1e6)}.</p>`;
    }}<//>`;
}

export function ServiceView({ route, go, setParams, times, now }) {
  const [name] = route.args;
  const { findings } = useFindings(times, { service: name });
  const request = useRequest(requests.operations(times, name));
  const params = timesIn(route.params);
  const search = (words) => href('search', [], { ...params, q: words });
  const ofService = wordOf('service', name);
  return html`<div class="head"><h1><${Service} name=${name} /></h1>
      <span class="links"><a href=${search(ofService)}>Traces</a><a href=${search(`${ofService} error`)}>Failed</a>
        <a href=${href('logs', [], { ...params, q: `{service_name=${JSON.stringify(name)}}` })}>Logs</a><a href=${href('map', [], { ...params, service: name })}>Map</a>${findings.length > 0 && html`<a href=${href('findings', [], { ...params, service: name })}>${format.plural(findings.length, 'finding')}</a>`}</span>
      <span class="head-end"><${CopyMenu} request=${request} /></span></div>
    <${Answer} request=${request} label="Reading figures">${(data) =>
      data.operations.length === 0
        ? html`<${Empty} title=${`${name} has no spans in this range`}><p>Choose a longer range above.</p><//>`
        : html`<${OpenFindings} findings=${findings} params=${params} now=${now} /><${Table} caption="Operations" rows=${data.operations} seconds=${secondsOf(data)} sort=${route.params.sort || 'calls'} onSort=${(sort) => setParams({ sort }, true)}
              linkOf=${(row) => search(`${ofService} ${wordOf('name', row.name)}`)} labelOf=${(row) => row.name}
              onOpen=${(row) => go({ view: 'search', params: { ...params, q: `${ofService} ${wordOf('name', row.name)}` } })} />
            ${data.leftOut > 0 && html`<p class="foot">${format.plural(data.leftOut, 'operation')} with fewer calls are left out: names that hold ids belong into attributes.</p>`}`}<//>`;
}

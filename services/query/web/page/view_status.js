// Whether this server, its store and the pipeline before it work.
import { html, useEffect, useState } from './vendor/preact.js';
import { requests } from './api.js';
import * as format from './format.js';
import { LAG_MARKED_SECONDS, pipelineRows } from './pipeline.js';
import { labelValues } from './series.js';
import { Answer, CopyMenu, Empty } from './ui.js';
import { useRequest } from './use_request.js';

const REFRESH_MS = 10_000;
// Of the services' own metrics, where they are stored here: a value for each consumer group.
const LAG = 'max by (job, instance) (spanway_kafka_bridge_lag_seconds)';
const WAITING = 'sum by (job, instance) (spanway_kafka_bridge_lag_messages)';
const DEAD = 'sum by (job, instance, cause) (increase(spanway_kafka_bridge_dead_letters_total[1h]))';
const OPEN = 'max by (destination) (spanway_exporter_degraded_destinations)';
const EXAMPLE = `pipeline:
  services:
    ingress: http://127.0.0.1:8080
    bridge: http://127.0.0.1:8082`;

function Tile({ title, value, detail, isBad }) {
  return html`<div class=${`tile ${isBad ? 'bad-tile' : ''}`}><h3>${title}</h3><b>${value}</b>${detail && html`<p>${detail}</p>`}</div>`;
}

function Store({ data }) {
  const { store, queries } = data;
  const isOk = data.status === 'ok';
  const newest = store.newestUnixNano ? Number(BigInt(store.newestUnixNano) / 1000000n) : null;
  return html`<div class="tiles">
    <${Tile} title="Store" value=${isOk ? 'answers' : 'is away'} isBad=${!isOk} detail=${isOk ? `${store.type}${store.endpoint ? ` at ${store.endpoint}` : ''}` : store.error} />
    ${isOk && html`<${Tile} title="Spans stored" value=${format.count(store.spans)} detail=${newest ? `the newest within five minutes of ${format.time(newest, Date.now(), false)}` : 'none yet: send some to the ingress'} />`}
    <${Tile} title="Queries now" value=${`${queries.running} run, ${queries.queued} wait`} isBad=${queries.queued > 0} />
    <${Tile} title="Since the start" value=${`${format.count(queries.answered)} answered`} detail=${`${format.count(queries.failed)} failed, ${format.count(queries.refused)} refused, ${format.count(queries.cancelled)} cancelled`} />
  </div>`;
}

// Out of the services' own metrics, for servers that are not told where the services are.
function PipelineByMetrics({ every }) {
  const [lag, waiting, dead, open] = [LAG, WAITING, DEAD, OPEN].map((query) => useRequest(requests.instant(query), every));
  if ([lag, waiting, dead, open].some((one) => one.state === 'failed' && one.error.status !== 501))
    return html`<p class="soft">The figures of the pipeline cannot be read now.</p>`;
  const consumers = labelValues(lag.data), messages = labelValues(waiting.data), letters = labelValues(dead.data).filter((one) => one.value > 0);
  const broken = labelValues(open.data).filter((one) => one.value > 0);
  if (consumers.length === 0)
    return html`<p class="soft">This server does not know the services of the pipeline. Name their admin ports in its configuration,</p>
      <pre>${EXAMPLE}</pre>
      <p class="soft">or let a collector or a Prometheus scrape their <code>/metrics</code> and send them to the ingress.</p>`;
  return html`<div class="tiles">${consumers.map(({ name, value }) => html`<${Tile} title=${`Lag of ${name}`} value=${format.duration(value * 1e6)} isBad=${value >= LAG_MARKED_SECONDS}
      detail=${`${format.count(messages.find((one) => one.name === name)?.value ?? NaN)} records wait in Kafka`} />`)}
    ${letters.map(({ name, value }) => html`<${Tile} title=${`Dead letters of ${name}`} value=${format.count(Math.round(value))} isBad=${true} detail="in the last hour" />`)}
    ${broken.map(({ name }) => html`<${Tile} title=${`Circuit of ${name}`} value="open" isBad=${true} detail="only probes are sent" />`)}</div>`;
}

const figure = (value, text = format.count) => (value === null ? html`<span class="faint">–</span>` : text(value));

function PipelineRow({ row }) {
  return html`<tr><td><b>${row.name}</b> <span class="soft">${row.role}${row.to && ` → ${row.to}`}</span></td>
    <td>${row.isOk ? html`<span class="good">works</span>` : html`<span class="bad">${row.troubles.join('; ')}</span>`}</td>
    <td class=${`n ${row.lagSeconds >= LAG_MARKED_SECONDS ? 'bad' : ''}`}>${figure(row.lagSeconds, (value) => (value === 0 ? '0' : format.duration(value * 1e6)))}</td>
    <td class="n wide">${figure(row.lagMessages)}</td><td class="n wide">${figure(row.items)}</td>
    <td class=${`n ${row.dead > 0 ? 'bad' : ''}`}>${figure(row.dead)}</td><td class="n wide">${figure(row.rejected)}</td>
    <td class="n wide">${row.memory?.rss ? format.bytes(row.memory.rss) : ''}</td></tr>`;
}

function Pipeline({ every }) {
  const request = useRequest(requests.pipeline(), every);
  return html`<${Answer} request=${request} label="Reading the services">${(data) => {
    if (data.services.length === 0) return html`<${PipelineByMetrics} every=${every} />`;
    return html`<div class="scroll" tabindex="0" role="group" aria-label="Services of the pipeline"><table class="red"><thead><tr><th>Service</th><th>State</th><th class="n">Lag</th><th class="n wide">Records waiting</th><th class="n wide">Items passed</th><th class="n">Dead letters</th><th class="n wide">Rejected</th><th class="n wide">Memory</th></tr></thead>
        <tbody>${pipelineRows(data).map((row) => html`<${PipelineRow} key=${row.name} row=${row} />`)}</tbody></table></div>
      <p class="foot">Lag is the age of the oldest record in Kafka that its destination has not taken. Items are spans, data points and log records since the start of the process; dead letters wait in a topic <code>.dlq</code>.</p>`;
  }}<//>`;
}

export function StatusView() {
  const [every, setEvery] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setEvery((n) => n + 1), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const health = useRequest(requests.health(), every);
  return html`<div class="head"><h1>Status</h1><span class="soft">read again every ${REFRESH_MS / 1000} s</span><span class="head-end"><${CopyMenu} request=${health} /></span></div>
    <${Answer} request=${health} label="Reading the state">${(data) => (data.store ? html`<${Store} data=${data} />` : html`<${Empty} title="No state"><p>/health has another shape than this page knows.</p><//>`)}<//>
    <h2>Pipeline</h2><${Pipeline} every=${every} />`;
}

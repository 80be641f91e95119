// Log lines by LogQL, with their number over time.
import { html, useMemo, useState } from './vendor/preact.js';
import { requests } from './api.js';
import { Chart } from './chart.js';
import * as format from './format.js';
import { entriesOf, volumeOf } from './log_entries.js';
import { LogLines } from './log_lines.js';
import { toLogQl } from './query_text.js';
import { Answer, CopyMenu, Empty, QueryLine, href, listKeys, useKeys } from './ui.js';
import { useRequest } from './use_request.js';

const LIMITS = [100, 500, 2000];
const EXAMPLES = ['{service_name="shop"}', '{service_name=~".+"} |= "declined"', '{service_name=~".+"} | detected_level="error"', '{service_name="shop"} | json | duration > 10ms'];
const BARS = 60;

export function LogsView({ route, setParams, times, now }) {
  const text = route.params.q || '';
  const query = toLogQl(text);
  const limit = Number(route.params.limit) || LIMITS[0];
  const request = useRequest(requests.logs(times, query, limit));
  const step = Math.max(1, Math.ceil((times.to - times.from) / 1000 / BARS));
  const volume = useRequest(requests.logVolume(times, `sum by (detected_level) (count_over_time(${query} [${step}s]))`, step));
  const entries = useMemo(() => entriesOf(request.data, false), [request.data]);
  const { seconds, series } = useMemo(() => volumeOf(volume.data, times, step), [volume.data]);
  const [at, setAt] = useState(-1);
  const [opened, setOpened] = useState(new Set());
  const toggle = (i) => {
    const next = new Set(opened);
    if (!next.delete(i)) next.add(i);
    setAt(i);
    setOpened(next);
  };
  const keys = listKeys({ total: entries.length, at, onOpen: toggle, onMove: (next) => { setAt(next); document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: 'nearest' }); } });
  useKeys((event) => event.defaultPrevented || keys(event));
  const isMetric = request.data && request.data.data.resultType !== 'streams';
  return html`<div class="head search-head"><${QueryLine} value=${text} label="LogQL" placeholder='{service_name="shop"} |= "declined" – or words to look for' onSubmit=${(typed) => { setAt(-1); setOpened(new Set()); setParams({ q: typed }); document.activeElement?.blur(); }} />
      <span class="head-end"><select aria-label="Most lines" value=${limit} onChange=${(event) => setParams({ limit: event.target.value })}>${LIMITS.map((one) => html`<option value=${one}>${one} lines</option>`)}</select><${CopyMenu} request=${request} /></span></div>
    ${series.length > 0 && html`<${Chart} times=${seconds} series=${series} height=${110} format=${format.count} label="Lines over time" onZoom=${(from, to) => setParams({ from: Math.round(from), to: Math.round(to), range: '' })} />`}
    <${Answer} request=${request} label="Reading logs">${() =>
      isMetric
        ? html`<${Empty} title="This is a metric"><p><a href=${href('metrics')}>Metrics</a> draws PromQL; LogQL's metrics are answered to Grafana at /loki.</p><//>`
        : entries.length === 0
          ? html`<${Empty} title="No lines fit"><p>Choose a longer range above, or another query. All of these work:</p><ul class="examples">${EXAMPLES.map((one) => html`<li><a href=${href('logs', [], { ...route.params, q: one })}><code>${one}</code></a></li>`)}</ul><//>`
          : html`<p class="cost">${format.plural(entries.length, 'line')}${entries.length >= limit ? ', the newest; there are more' : ''} · ${format.duration(request.millis * 1000)}${request.coverage && html` · <span class="bad">${request.coverage}</span>`}</p>
              <${LogLines} entries=${entries} cursor=${at} opened=${opened} onToggle=${toggle} now=${now} />`}<//>`;
}

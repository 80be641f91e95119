// Traces by any attribute of their spans; no service needs to be named.
import { html, useMemo, useRef, useState } from './vendor/preact.js';
import { requests, send } from './api.js';
import * as format from './format.js';
import { tagOf, toTraceQl, traceIdIn, wordAt, wordOf } from './query_text.js';
import { timesIn } from './route.js';
import { Answer, CopyMenu, Empty, QueryLine, Service, href, hueOf, listKeys, useKeys } from './ui.js';
import { useRequest } from './use_request.js';

const LIMITS = [20, 100, 500];
const EXAMPLES = ['error', 'service=shop duration>100ms', 'http.response.status_code=500', '{ span.db.system = "redis" && duration > 5ms }'];
const FIELDS = ['service=', 'name=', 'duration>', 'traceDuration>', 'kind=', 'status=', 'error', 'root'];

function compiled(text) {
  try {
    return { q: toTraceQl(text), wrong: '' };
  } catch (error) {
    return { q: '', wrong: error.message };
  }
}

// Names of attributes once, values of one as they are needed; a failure offers nothing.
function useSuggestions(times) {
  const cache = useRef(new Map());
  const read = (spec, pick) => {
    const key = JSON.stringify(spec);
    if (!cache.current.has(key)) cache.current.set(key, send(spec).then((answer) => pick(answer.data), () => []));
    return cache.current.get(key);
  };
  return async (text, at) => {
    if (/^\s*[{(]/.test(text)) return null;
    const word = wordAt(text, at);
    if (word.op) {
      const known = { kind: ['server', 'client', 'internal', 'producer', 'consumer'], status: ['error', 'ok', 'unset'] }[word.key];
      const values = known || (await read(requests.tagValues(times, tagOf(word.key)), (data) => data.tagValues.map((one) => String(one.value))));
      const begin = word.value.replace(/^"/, '').toLowerCase();
      const items = values.filter((value) => value.toLowerCase().includes(begin) && value !== word.value).slice(0, 12);
      return { from: word.from, to: word.to, items: items.map((value) => wordOf(word.key, value).replace('=', word.op)) };
    }
    const names = await read(requests.tagNames(times), (data) => data.scopes.filter((one) => one.name !== 'intrinsic').flatMap((one) => one.tags.map((tag) => `${tag}=`)));
    const items = [...new Set([...FIELDS, ...names])].filter((name) => name.toLowerCase().includes(word.key.toLowerCase()) && name !== word.key);
    return { from: word.from, to: word.to, items: items.slice(0, 12) };
  };
}

function Result({ trace, longest, isOn, isMarked, at, link, onMark, now }) {
  const services = Object.entries(trace.serviceStats || {});
  const spans = services.reduce((sum, [, one]) => sum + one.spanCount, 0);
  const errors = services.reduce((sum, [, one]) => sum + (one.errorCount || 0), 0);
  const matched = (trace.spanSets || []).reduce((sum, one) => sum + one.matched, 0);
  const hasRoot = trace.rootServiceName !== '<root span not yet received>';
  const width = `${Math.max(0.5, (100 * trace.durationMs) / longest)}%`;
  return html`<li class=${`result ${isOn ? 'on' : ''} ${errors > 0 ? 'has-error' : ''}`} data-row=${at} aria-current=${isOn ? 'true' : undefined}>
    <label class="mark" title="Mark for comparison (m)"><input type="checkbox" checked=${isMarked} tabindex="-1" aria-label="Mark for comparison" onChange=${onMark} /></label>
    <a class="result-name" href=${link}>${hasRoot ? html`<b>${trace.rootServiceName}</b> ${trace.rootTraceName}` : html`<i class="soft">its root has not arrived</i>`}</a>
    <span class="result-time" title=${new Date(Number(trace.startTimeUnixNano) / 1e6).toISOString()}>${format.time(Number(trace.startTimeUnixNano) / 1e6, now)}</span>
    <span class="result-duration">${format.duration(trace.durationMs * 1000 || 500)}</span>
    <span class="result-bar"><i style=${{ width, '--h': hueOf(hasRoot ? trace.rootServiceName : services[0]?.[0] || '') }}></i></span>
    <span class="result-figures">${format.plural(spans, 'span')}${matched < spans && matched > 0 ? html` <span class="faint">· ${format.count(matched)} found</span>` : ''}${errors > 0 && html` <span class="bad">· ${format.plural(errors, 'error')}</span>`}</span>
    <span class="result-services">${services.slice(0, 6).map(([name]) => html`<${Service} name=${name} />`)}${services.length > 6 && html`<span class="faint">+${services.length - 6}</span>`}</span>
  </li>`;
}

function Cost({ data, request, times }) {
  const { metrics } = data;
  const read = Number(metrics?.inspectedBytes || 0);
  return html`<p class="cost">${format.plural(data.traces.length, 'trace')} · ${format.count(Number(metrics?.inspectedSpans || 0))} spans read${read > 0 ? `, ${format.bytes(read)}` : ''} · ${format.duration(request.millis * 1000)}
    ${request.coverage
      ? html` · <span class="bad">${request.coverage}</span>`
      : html` · <span class="soft">all of ${format.time(times.from, times.to, false)} – ${format.time(times.to, times.to, false)}</span>`}</p>`;
}

export function SearchView({ route, go, setParams, times, now }) {
  const text = route.params.q || '';
  const limit = Number(route.params.limit) || LIMITS[0];
  const { q, wrong } = useMemo(() => compiled(text), [text]);
  const request = useRequest(wrong ? null : requests.search(times, q, limit));
  const suggest = useSuggestions(times);
  const [at, setAt] = useState(0);
  const [marked, setMarked] = useState([]);
  const order = route.params.sort === 'duration' ? 'duration' : 'time';
  const traces = useMemo(() => {
    const all = [...(request.data?.traces || [])];
    return order === 'duration' ? all.sort((a, b) => b.durationMs - a.durationMs) : all;
  }, [request.data, order]);
  const longest = Math.max(1, ...traces.map((one) => one.durationMs));
  const times_ = timesIn(route.params);
  const linkOf = (trace) => href('trace', [trace.traceID], times_);
  const submit = (typed) => {
    const id = traceIdIn(typed);
    if (id) return go({ view: 'trace', args: [id], params: times_ });
    setAt(0);
    setMarked([]);
    setParams({ q: typed });
    return document.activeElement?.blur();
  };
  const mark = (id) => setMarked(marked.includes(id) ? marked.filter((one) => one !== id) : [...marked, id].slice(-2));
  const compare = () => go({ view: 'compare', args: marked });
  const keys = listKeys({
    total: traces.length, at,
    onMove: (next) => { setAt(next); document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: 'nearest' }); },
    onOpen: (i) => go({ view: 'trace', args: [traces[i].traceID], params: times_ }),
  });
  useKeys((event) => {
    if (event.defaultPrevented || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    keys(event);
    if (event.key === 'm' && traces[at] && !event.ctrlKey && !event.metaKey) mark(traces[at].traceID);
  });
  return html`<div class="head search-head"><${QueryLine} value=${text} label="Search" suggest=${suggest} onSubmit=${submit}
      placeholder="service=shop http.route=/cart duration>100ms error – or TraceQL, or a trace id" />
      <span class="head-end"><select aria-label="Order" value=${order} onChange=${(event) => setParams({ sort: event.target.value === 'duration' ? 'duration' : '' }, true)}><option value="time">newest first</option><option value="duration">slowest first</option></select>
      <select aria-label="Most traces" value=${limit} onChange=${(event) => setParams({ limit: event.target.value })}>${LIMITS.map((one) => html`<option value=${one}>${one} traces</option>`)}</select>
      <${CopyMenu} request=${request} /></span></div>
    ${marked.length > 0 && html`<p class="marked">${marked.length === 1 ? 'One trace is marked; mark another one to compare.' : html`<button class="main" onClick=${compare}>Compare the two</button>`} <button onClick=${() => setMarked([])}>Clear</button></p>`}
    ${wrong
      ? html`<${Empty} title=${wrong}><p>A word is <code>key=value</code>, <code>!=</code>, <code>${'>'}</code>, <code>${'<'}</code> or <code>key~pattern</code>; quotes hold blanks together; other words are looked for in names. Text that begins with <code>{</code> is TraceQL.</p><//>`
      : html`<${Answer} request=${request} label="Searching">${(data) => html`
          <${Cost} data=${data} request=${request} times=${times} />
          ${traces.length === 0
            ? html`<${Empty} title="No trace fits">
                <p>Choose a longer range above, or fewer words. All of these work:</p>
                <ul class="examples">${EXAMPLES.map((one) => html`<li><a href=${href('search', [], { ...times_, q: one })}><code>${one}</code></a></li>`)}</ul>
                ${text && html`<p class="soft">Searched as <code>${q}</code></p>`}
              <//>`
            : html`<ul class="results" aria-label="Traces">${traces.map(
                (trace, i) => html`<${Result} key=${trace.traceID} trace=${trace} at=${i} longest=${longest} now=${now} isOn=${i === at} link=${linkOf(trace)}
                  isMarked=${marked.includes(trace.traceID)} onMark=${() => mark(trace.traceID)} />`,
              )}</ul>`}`}<//>`}`;
}

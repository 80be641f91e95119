// One trace: its shape first, by columns; the rows in sight; a span, the logs and the times beside it.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from './vendor/preact.js';
import { requests } from './api.js';
import * as format from './format.js';
import { timesIn } from './route.js';
import { criticalPath, decodeSkeleton, endOf, idOf, selfTimes, spanOf } from './trace_tree.js';
import { firstCause, groupPath, nextError, parentRow, reveal, rowOfSpan, scrollToRow, visibleRows, windowOf } from './trace_rows.js';
import { Minimap } from './trace_minimap.js';
import { SidePanel } from './trace_side.js';
import { Row, narrowQuery, rowHeight } from './trace_row.js';
import { Answer, CopyMenu, Service, copyText, href, say, useKeys } from './ui.js';
import { useRequest } from './use_request.js';

const ZOOM_MIN = 1; // µs

// The part of the trace's time that is in sight, "from-to" in µs in the address.
function zoomOf(text, length) {
  const found = /^(\d+)-(\d+)$/.exec(text || '');
  const from = found ? Number(found[1]) : 0, to = found ? Math.min(Number(found[2]), length) : length;
  return to - from >= ZOOM_MIN ? { from, to } : { from: 0, to: length };
}

function Summary({ trace, request }) {
  const service = trace.services[trace.service[trace.root]], name = trace.names[trace.name[trace.root]];
  return html`<div class="head trace-head"><h1><${Service} name=${service} /> ${name}</h1>
    <span class="facts"><b>${format.duration(trace.length)}</b>
      <span>${format.plural(trace.size, 'span')}</span><span>${format.plural(trace.services.length, 'service')}</span><span>depth ${trace.depthMax + 1}</span>
      ${trace.errors > 0 && html`<span class="bad">${format.plural(trace.errors, 'error')}</span>`}
      <span class="soft">${format.time(trace.beginMillis)}</span>
      <button class="id" title="Copy the id of the trace" onClick=${() => copyText(trace.id)}>${trace.id}</button></span>
    <span class="head-end"><${CopyMenu} request=${request} /><a class="button" href=${`./api/v3/traces/${trace.id}`} download=${`trace-${trace.id}.json`} title="All spans with their attributes, as OTLP/JSON">OTLP</a></span>
  </div>`;
}

function Toolbar({ state, set, trace, onError, onCause, zoomed, onReset, onSide }) {
  const toggle = (key, label, title) =>
    html`<button aria-pressed=${state[key]} title=${title} onClick=${() => set({ [key]: !state[key] })}>${label}</button>`;
  return html`<div class="tools">
    ${toggle('repeats', 'Repeats', 'Join repeated calls into one row (r)')}${toggle('path', 'Critical path', 'Mark what the duration consists of (x)')}
    <button onClick=${() => set({ collapsed: new Set(), opened: new Set() })} title="Open every span">Open all</button>
    <button onClick=${() => set({ collapsed: new Set(trace.roots.flatMap((root) => [...trace.children.subarray(trace.first[root], trace.first[root + 1])])) })} title="Close everything below the first level">Close all</button>
    ${trace.errors > 0 && html`<button onClick=${onCause} title="The failed span that has no failed span below it (e)">Cause</button><button onClick=${() => onError(1)} title="Next error (n)">Next error</button>`}
    <button onClick=${() => onSide('logs')} title="The log lines of this trace">Logs</button>
    <button onClick=${() => onSide('time')} title="Operations by their part of the duration">Where the time went</button>
    ${zoomed && html`<button onClick=${onReset} title="All of the trace (Z)">Zoom out</button>`}
  </div>`;
}

function Axis({ zoom, base }) {
  const parts = [0, 0.25, 0.5, 0.75];
  return html`<div class="axis" aria-hidden="true"><span class="axis-name">Service and operation</span><span class="axis-times">${parts.map(
    (part) => html`<i style=${{ left: `${part * 100}%` }}>${format.duration(base + zoom.from + part * (zoom.to - zoom.from))}</i>`,
  )}<i class="axis-end">${format.duration(zoom.to)}</i></span></div>`;
}

// Height and place of the list that scrolls.
function useScroll() {
  const node = useRef(null);
  const [place, setPlace] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = node.current;
    if (!element) return undefined;
    const read = () => setPlace({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    read();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, []);
  return [node, place];
}

function useNarrow() {
  const [isNarrow, set] = useState(narrowQuery.matches);
  useEffect(() => {
    const changed = () => set(narrowQuery.matches);
    narrowQuery.addEventListener('change', changed);
    return () => narrowQuery.removeEventListener('change', changed);
  }, []);
  return isNarrow;
}

function Waterfall({ trace, route, go, setParams, request }) {
  const [state, setState] = useState(() => {
    const begin = { collapsed: new Set(), opened: new Set(), repeats: true, path: true };
    const span = spanOf(trace, route.params.span);
    return span < 0 ? begin : reveal(trace, begin, span);
  });
  const set = (changes) => setState((before) => ({ ...before, ...changes }));
  const isNarrow = useNarrow();
  const height = rowHeight(isNarrow);
  const rows = useMemo(() => visibleRows(trace, state), [trace, state.collapsed, state.opened, state.repeats]);
  const hasSide = Boolean(route.params.span || route.params.side);
  const own = useMemo(() => (hasSide ? selfTimes(trace) : null), [trace, hasSide]);
  const path = useMemo(() => criticalPath(trace), [trace]);
  const pathOf = useMemo(() => {
    const bySpan = new Map();
    for (const part of path) {
      if (!bySpan.has(part.span)) bySpan.set(part.span, []);
      bySpan.get(part.span).push(part);
    }
    return bySpan;
  }, [path]);
  const selected = spanOf(trace, route.params.span);
  const [cursor, setCursor] = useState(() => Math.max(0, rowOfSpan(rows, selected)));
  const zoom = zoomOf(route.params.zoom, trace.length);
  const [scroller, place] = useScroll();
  const at = Math.min(cursor, rows.row.length - 1);
  const show = windowOf(rows.row.length, height, place.top, place.height);

  const moveTo = (next, isSelecting = true) => {
    setCursor(next);
    const item = rows.row[next];
    if (isSelecting) setParams({ span: item >= 0 ? idOf(trace, item) : '' }, true);
    const node = scroller.current;
    if (node) node.scrollTop = scrollToRow(next, rows.row.length, height, node.scrollTop, node.clientHeight);
  };
  // The span of the address, once, when the list has its height.
  useLayoutEffect(() => {
    const node = scroller.current;
    if (node && selected >= 0) node.scrollTop = Math.max(0, scrollToRow(at, rows.row.length, height, 0, node.clientHeight / 2));
    node?.focus({ preventScroll: true });
  }, []);
  const toggle = (item, isOpening) => {
    if (item >= 0) {
      const collapsed = new Set(state.collapsed);
      if (isOpening ?? collapsed.has(item)) collapsed.delete(item);
      else if (trace.below[item] > 0) collapsed.add(item);
      return set({ collapsed });
    }
    const group = rows.groups[-1 - item], opened = new Set(state.opened);
    if (isOpening ?? !group.isOpen) opened.add(group.key);
    else opened.delete(group.key);
    return set({ opened });
  };
  const isOpen = (item) => (item >= 0 ? trace.below[item] > 0 && !state.collapsed.has(item) : rows.groups[-1 - item].isOpen);
  // Opens what hides it.
  const toSpan = (span) => {
    const next = reveal(trace, state, span);
    const nextRows = visibleRows(trace, next), row = rowOfSpan(nextRows, span);
    setState(next);
    setCursor(row);
    setParams({ span: idOf(trace, span) }, true);
    // Once the opened rows are there.
    requestAnimationFrame(() => {
      const node = scroller.current;
      if (node) node.scrollTop = scrollToRow(row, nextRows.row.length, height, node.scrollTop, node.clientHeight);
    });
  };
  const toError = (direction) => {
    const next = nextError(trace, rows, at, direction);
    if (next >= 0) return moveTo(next);
    const hidden = trace.order.find((span) => trace.status[span] === 2 && rowOfSpan(rows, span) < 0);
    if (hidden === undefined) return say('No further error');
    return toSpan(hidden);
  };
  const toCause = () => (trace.errors > 0 ? toSpan(firstCause(trace)) : say('Nothing has failed'));
  const zoomTo = (from, to) => setParams({ zoom: `${Math.floor(from)}-${Math.ceil(to)}` }, true);
  // "g l" and the like belong to the frame.
  const keys = useRef({ last: '', isAfterG: false });
  useEffect(() => {
    const listen = (event) => (keys.current = { last: event.key, isAfterG: keys.current.last === 'g' });
    addEventListener('keydown', listen, true);
    return () => removeEventListener('keydown', listen, true);
  }, []);
  useKeys((event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const item = rows.row[at];
    const page = Math.max(1, Math.floor(place.height / height) - 1);
    const to = (next) => () => moveTo(Math.max(0, Math.min(rows.row.length - 1, next)));
    const left = () => (isOpen(item) ? toggle(item, false) : parentRow(rows, at) >= 0 && moveTo(parentRow(rows, at)));
    const right = () => (isOpen(item) ? to(at + 1)() : toggle(item, true));
    const isControl = /^(BUTTON|A)$/.test(event.target.tagName);
    const actions = {
      ArrowDown: to(at + 1), j: to(at + 1), ArrowUp: to(at - 1), k: to(at - 1), PageDown: to(at + page), PageUp: to(at - page),
      Home: to(0), End: to(rows.row.length - 1), ArrowLeft: left, h: left, ArrowRight: right, l: right,
      Enter: isControl ? null : () => (route.params.span || item < 0 ? toggle(item) : moveTo(at)),
      n: () => toError(1), p: () => toError(-1), e: toCause, x: () => set({ path: !state.path }), r: () => set({ repeats: !state.repeats }),
      z: () => (item >= 0 ? zoomTo(trace.start[item], endOf(trace, item)) : zoomTo(rows.groups[-1 - item].from, rows.groups[-1 - item].to)),
      Z: () => setParams({ zoom: '' }, true),
      Escape: route.params.span ? () => setParams({ span: '', side: '' }, true) : null,
    };
    const action = actions[event.key];
    if (!action) return;
    if (event.key.length === 1 && keys.current.isAfterG) return;
    event.preventDefault();
    action();
  });
  const shown = [];
  for (let i = show.from; i < show.to; ++i) {
    const item = rows.row[i];
    shown.push(html`<${Row} key=${item >= 0 ? item : rows.groups[-1 - item].key} trace=${trace} item=${item} group=${item < 0 ? rows.groups[-1 - item] : null}
      depth=${rows.depth[i]} isOn=${i === at} isOpen=${isOpen(item)} zoom=${zoom} height=${height} path=${!state.path ? null : item >= 0 ? pathOf.get(item) : groupPath(rows.groups[-1 - item], pathOf, (zoom.to - zoom.from) / 300)}
      onPick=${() => moveTo(i)} onToggle=${() => { setCursor(i); toggle(item); }} />`);
  }
  const isWhole = zoom.from === 0 && zoom.to === trace.length;
  return html`<${Summary} trace=${trace} request=${request} />
    <${Minimap} trace=${trace} zoom=${zoom} onZoom=${(from, to) => (to - from < ZOOM_MIN ? setParams({ zoom: '' }, true) : zoomTo(from, to))} />
    <${Toolbar} state=${state} set=${set} trace=${trace} onError=${toError} onCause=${toCause} zoomed=${!isWhole} onReset=${() => setParams({ zoom: '' }, true)} onSide=${(side) => setParams({ side }, true)} />
    <div class=${`trace-body ${hasSide ? 'with-side' : ''}`}>
      <div class="waterfall">
        <${Axis} zoom=${zoom} base=${0} />
        <div class="rows" ref=${scroller} tabindex="0" role="tree" aria-label="Spans" data-rows=${rows.row.length}>
          <div class="rows-all" style=${{ height: `${show.height}px` }}><div style=${{ transform: `translateY(${show.top}px)` }}>${shown}</div></div>
        </div>
      </div>
      <${SidePanel} trace=${trace} span=${selected} own=${own} path=${path} route=${route} go=${go} setParams=${setParams}
        onSpan=${toSpan} />
    </div>`;
}

export function TraceView({ route, go, setParams }) {
  const [id] = route.args;
  const request = useRequest(requests.skeleton(id));
  const trace = useMemo(() => (request.data ? decodeSkeleton(request.data) : null), [request.data]);
  return html`<${Answer} request=${request} label="Reading the trace">${() => html`<${Waterfall} trace=${trace} route=${route} go=${go} setParams=${setParams} request=${request} />`}<//>
    ${request.state === 'failed' && html`<p class="foot"><a href=${href('search', [], timesIn(route.params))}>Back to the search</a></p>`}`;
}

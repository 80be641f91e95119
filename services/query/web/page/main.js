// The frame around every view: navigation, time range, theme, keys.
import { html, render, useEffect, useMemo, useRef, useState } from './vendor/preact.js';
import { credentials } from './api.js';
import * as format from './format.js';
import { RANGES, formatRoute, movedTimes, parseRoute, timesIn, timesOf } from './route.js';
import { copyText, say } from './ui.js';
import { ServicesView, ServiceView } from './view_services.js';
import { SearchView } from './view_search.js';
import { TraceView } from './view_trace.js';
import { CompareView } from './view_compare.js';
import { LogsView } from './view_logs.js';
import { MetricsView } from './view_metrics.js';
import { FindingsView } from './view_findings.js';
import { MapView } from './view_map.js';
import { StatusView } from './view_status.js';

const VIEWS = [
  { view: 'services', title: 'Services', key: 's' },
  { view: 'search', title: 'Traces', key: 't' },
  { view: 'findings', title: 'Findings', key: 'f' },
  { view: 'map', title: 'Map', key: 'm' },
  { view: 'logs', title: 'Logs', key: 'l' },
  { view: 'metrics', title: 'Metrics', key: 'e' },
  { view: 'status', title: 'Status', key: 'a' },
];
const BODIES = {
  services: ServicesView, service: ServiceView, search: SearchView, trace: TraceView, compare: CompareView,
  logs: LogsView, metrics: MetricsView, map: MapView, findings: FindingsView, status: StatusView,
};
const PARENT = { service: 'services', trace: 'search', compare: 'search' };
// Views without times of their own.
const TIMELESS = new Set(['trace', 'compare', 'status']);

const KEYS = [
  ['/', 'to the query line'],
  ['g then s t f m l e a', 'services, traces, findings, map, logs, metrics, status'],
  ['j k or arrows', 'down and up'],
  ['Enter', 'open; in a trace: open or close a row'],
  ['h l or arrows', 'in a trace: close, open, to the parent'],
  ['n p e', 'in a trace: next and previous error, its cause'],
  ['z Z', 'in a trace: zoom to the span, and back'],
  ['x r', 'in a trace: critical path, repeats as one row'],
  ['m', 'in a list of traces: mark it for comparison'],
  ['[ ] - +', 'earlier, later, wider, narrower range'],
  ['. ', 'the range ends now'],
  ['c y', 'copy as curl, copy the link'],
  ['d', 'light, dark, as the system'],
  ['Esc', 'cancel, close, leave the line'],
  ['?', 'these keys'],
];

// --- theme ---

const THEMES = ['system', 'light', 'dark'];
const readTheme = () => (THEMES.includes(localStorage.getItem('spanway.theme')) ? localStorage.getItem('spanway.theme') : 'system');
function applyTheme(theme) {
  if (theme === 'system') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.setAttribute('data-theme', theme);
  localStorage.setItem('spanway.theme', theme);
  dispatchEvent(new Event('spanway-theme'));
}

// --- parts of the frame ---

function RangePicker({ params, now, onChange }) {
  const { from, to, isFixed } = timesOf(params, now);
  const move = (by) => onChange(movedTimes(params, now, by));
  const label = isFixed ? `${format.time(from, now, false)} – ${format.time(to, now, false)}` : '';
  return html`<div class="range" role="group" aria-label="Time range">
    <button title="Earlier ([)" aria-label="Earlier" onClick=${() => move('earlier')}>‹</button>
    ${isFixed
      ? html`<span class="fixed">${label}</span><button title="Back to a range that ends now (.)" onClick=${() => onChange({})}>now</button>`
      : html`<select aria-label="Length of the range" value=${params.range || '1h'} onChange=${(event) => onChange({ range: event.target.value })}>
          ${[...new Set([...RANGES, params.range || '1h'])].map((one) => html`<option value=${one}>last ${one}</option>`)}
        </select>`}
    <button title="Later (])" aria-label="Later" onClick=${() => move('later')}>›</button>
    <button title="Read again" aria-label="Read again" onClick=${() => onChange(null)}>↻</button>
  </div>`;
}

// Of a dialog, once: its first input, or itself.
function takeFocus(node) {
  if (node && !node.contains(document.activeElement)) (node.querySelector('input') || node).focus();
}

function Help({ onClose }) {
  return html`<div class="sheet-back" onClick=${onClose}>
    <div class="sheet" role="dialog" aria-modal="true" aria-label="Keys" tabindex="-1" ref=${takeFocus} onClick=${(event) => event.stopPropagation()}>
      <h2>Keys</h2>
      <dl class="keys">${KEYS.map(([key, what]) => html`<dt>${key.trim().split(' ').map((one) => (/^(then|or|arrows)$/.test(one) ? ` ${one} ` : html`<kbd>${one}</kbd>`))}</dt><dd>${what}</dd>`)}</dl>
      <p class="soft">Every view is a link: its address holds all of its state.</p>
    </div>
  </div>`;
}

function Settings({ reason, onClose }) {
  const [values, setValues] = useState(credentials.read());
  const field = (key, label, hint, type = 'text') =>
    html`<label>${label}<input type=${type} value=${values[key]} placeholder=${hint} autocomplete="off"
      onInput=${(event) => setValues({ ...values, [key]: event.target.value.trim() })} /></label>`;
  const save = (event) => {
    event.preventDefault();
    credentials.write(values);
    onClose(true);
  };
  return html`<div class="sheet-back" onClick=${() => onClose(false)}>
    <form class="sheet" role="dialog" aria-modal="true" aria-label="Settings" ref=${takeFocus} onClick=${(event) => event.stopPropagation()} onSubmit=${save}>
      <h2>Settings</h2>
      ${reason && html`<p>${reason}</p>`}
      ${field('token', 'Token', 'sent as Authorization: Bearer', 'password')}
      ${field('tenant', 'Tenant', 'empty: the server decides')}
      ${field('header', 'Header of the tenant', 'x-scope-orgid')}
      <p class="soft">Kept until this tab is closed, and sent to this server alone.</p>
      <p><button class="main" type="submit">Use</button> <button type="button" onClick=${() => onClose(false)}>Close</button></p>
    </form>
  </div>`;
}

// --- the page ---

function useRoute() {
  const [route, setRoute] = useState(parseRoute(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  // `replace`: a detail of the view that the Back button should not stop at.
  const go = (next, replace = false) => {
    const hash = formatRoute(next);
    if (hash === location.hash) return;
    if (replace) {
      history.replaceState(null, '', hash);
      setRoute(parseRoute(hash));
    } else {
      location.hash = hash;
    }
  };
  return [route, go];
}

function useFrameKeys({ route, go, setNow, setSheet, setTheme, theme }) {
  const afterG = useRef(false);
  useEffect(() => {
    const change = (times) => {
      const { from: _f, to: _t, range: _r, ...rest } = route.params;
      setNow(Date.now());
      go({ ...route, params: { ...rest, ...times } });
    };
    const listen = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (event.key === 'Escape') {
        setSheet('');
        if (isTyping) event.target.blur();
        dispatchEvent(new Event('spanway-cancel'));
        return;
      }
      if (isTyping) return;
      const isAfterG = afterG.current;
      afterG.current = false;
      if (isAfterG) {
        const found = VIEWS.find((one) => one.key === event.key);
        if (found) {
          event.preventDefault();
          return go({ view: found.view, params: timesIn(route.params) });
        }
      }
      const moves = { '[': 'earlier', ']': 'later', '-': 'wider', '+': 'narrower' };
      const actions = {
        '/': () => document.querySelector('[data-main=true]')?.focus(),
        g: () => (afterG.current = true),
        '?': () => setSheet('help'),
        c: () => document.querySelector('[data-key=c]')?.click(),
        y: () => copyText(location.href),
        d: () => {
          const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
          setTheme(next);
          say(`Theme: ${next}`);
        },
        '.': () => change({}),
      };
      if (event.key in moves && !TIMELESS.has(route.view)) change(movedTimes(route.params, Date.now(), moves[event.key]));
      else if (event.key in actions) actions[event.key]();
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  });
}

function App() {
  const [route, go] = useRoute();
  const [now, setNow] = useState(Date.now());
  const [sheet, setSheet] = useState('');
  const [theme, setThemeState] = useState(readTheme());
  const setTheme = (next) => {
    applyTheme(next);
    setThemeState(next);
  };
  useEffect(() => {
    const ask = () => setSheet('unauthorized');
    addEventListener('spanway-unauthorized', ask);
    return () => removeEventListener('spanway-unauthorized', ask);
  }, []);
  useFrameKeys({ route, go, setNow, setSheet, setTheme, theme });
  const { view } = route;
  const Body = BODIES[view] || ServicesView;
  const current = PARENT[view] || view;
  const times = useMemo(() => timesOf(route.params, now), [route.params.from, route.params.to, route.params.range, now]);
  const title = VIEWS.find((one) => one.view === current)?.title || 'Services';
  useEffect(() => void (document.title = `${[...route.args, title].join(' · ')} · Spanway`), [view, route.args.join()]);
  const changeRange = (next) => {
    setNow(Date.now());
    if (next === null) return;
    const { from: _f, to: _t, range: _r, ...rest } = route.params;
    go({ ...route, params: { ...rest, ...next } });
  };
  // Params of a view are changed one by one; times and others stay.
  const setParams = (changes, replace) => go({ ...route, params: { ...route.params, ...changes } }, replace);
  return html`<header class="bar">
      <a class="brand" href=${formatRoute({ view: 'services', params: timesIn(route.params) })} aria-label="Spanway, services"><svg viewBox="0 0 32 24" aria-hidden="true"><rect x="2" y="3" width="26" height="4" rx="2" /><rect x="7" y="10" width="15" height="4" rx="2" /><rect x="13" y="17" width="11" height="4" rx="2" /></svg><b>Spanway</b></a>
      <nav aria-label="Views">${VIEWS.map(
        (one) => html`<a href=${formatRoute({ view: one.view, params: timesIn(route.params) })} aria-current=${one.view === current ? 'page' : undefined} title=${`g ${one.key}`}>${one.title}</a>`,
      )}</nav>
      <div class="bar-end">
        ${!TIMELESS.has(view) && html`<${RangePicker} params=${route.params} now=${now} onChange=${changeRange} />`}
        <button class="quiet" title=${`Theme: ${theme} (d)`} aria-label=${`Theme: ${theme}`} onClick=${() => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % 3])}>${{ system: '◐', light: '○', dark: '●' }[theme]}</button>
        <button class="quiet" title="Token and tenant" aria-label="Settings" onClick=${() => setSheet('settings')}>⚙</button>
        <button class="quiet" title="Keys (?)" aria-label="Keys" onClick=${() => setSheet('help')}>?</button>
      </div>
    </header>
    <main class=${`view view-${view}`}><${Body} key=${`${view}/${route.args.join('/')}`} route=${route} go=${go} setParams=${setParams} times=${times} now=${now} /></main>
    ${sheet === 'help' && html`<${Help} onClose=${() => setSheet('')} />`}
    ${(sheet === 'settings' || sheet === 'unauthorized') &&
    html`<${Settings} reason=${sheet === 'unauthorized' && 'This server wants a token.'} onClose=${(isChanged) => { setSheet(''); if (isChanged) location.reload(); }} />`}`;
}

applyTheme(readTheme());
render(html`<${App} />`, document.getElementById('app'));

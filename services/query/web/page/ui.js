// The parts that views share.
import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/preact.js';
import { adviceFor, curlOf } from './api.js';
import { digits } from './format.js';
import { formatRoute } from './route.js';

// One hue for each service while the page is open: by its name, moved when that of another one is too near. Reds are left
// to errors.
const hues = new Map();
const HUE_BEGIN = 60, HUE_RANGE = 290, HUE_GAP = 24;
export function hueOf(service) {
  if (hues.has(service)) return hues.get(service);
  let hash = 2166136261;
  for (const c of service) hash = Math.imul(hash ^ c.codePointAt(0), 16777619) >>> 0;
  let hue = HUE_BEGIN + (hash % HUE_RANGE);
  const isNear = (one) => [...hues.values()].some((other) => Math.abs(other - one) < HUE_GAP);
  for (let tries = 0; tries < 20 && isNear(hue); ++tries) hue = HUE_BEGIN + ((hue - HUE_BEGIN + 47) % HUE_RANGE);
  hues.set(service, hue);
  return hue;
}

export const Service = ({ name }) =>
  html`<span class="service"><i class="dot" style=${{ '--h': hueOf(name) }}></i>${name}</span>`;

// The value of a colour's variable, resolved for this theme: a canvas takes no variables.
export function colour(name) {
  const probe = document.getElementById('note');
  const before = probe.style.outlineColor;
  probe.style.outlineColor = `var(${name})`;
  const resolved = getComputedStyle(probe).outlineColor;
  probe.style.outlineColor = before;
  return resolved;
}

export const isDark = () => getComputedStyle(document.documentElement).getPropertyValue('--is-dark').trim() === '1';

export const href = (view, args, params) => formatRoute({ view, args, params });

// --- states ---

export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><div>${children}</div></div>`;
}

function Seconds({ since }) {
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.floor((now - since) / 1000);
  return seconds < 1 ? null : html`<span class="soft">${seconds} s</span>`;
}

// A thin line at once, words and a way out after a moment (by CSS).
export function Loading({ request, label }) {
  return html`<div class="loading" role="status">
    <div class="loading-line"></div>
    <div class="loading-words">
      <span>${label || 'Reading'}…</span> <${Seconds} since=${request.began || Date.now()} />
      <button onClick=${request.cancel}>Cancel <kbd>Esc</kbd></button>
    </div>
  </div>`;
}

export function Failed({ request }) {
  const { error } = request;
  return html`<div class="failed" role="alert">
    <h2>${error.status ? `${error.status}: ` : ''}${error.message}</h2>
    <p>${adviceFor(error.status)}</p>
    <p><button onClick=${request.retry}>Try again</button> <${CopyMenu} request=${request} /></p>
  </div>`;
}

// The data of a request, or what stands in their place. `children` is a function of the data.
export function Answer({ request, label, keep = true, children }) {
  const { state, data } = request;
  if (state === 'failed') return html`<${Failed} request=${request} />`;
  if (state === 'cancelled')
    return html`<${Empty} title="Cancelled">
      <p>The query was ended at the server, too. <button onClick=${request.retry}>Run it again</button></p>
    <//>`;
  if (state === 'loading' && !(keep && data)) return html`<${Loading} request=${request} label=${label} />`;
  if (!data) return null;
  return html`${state === 'loading' && html`<div class="loading-line"></div>`}${children(data)}`;
}

// --- copying ---

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS browsers have no clipboard.
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'off-screen';
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  say('Copied');
}

export function say(text) {
  const note = document.getElementById('note');
  note.textContent = text;
  note.classList.add('shown');
  clearTimeout(say.timer);
  say.timer = setTimeout(() => note.classList.remove('shown'), 1600);
}

export function CopyMenu({ request }) {
  if (!request?.spec) return null;
  return html`<span class="copy">
    <button title="Copy the request as a curl command (c)" data-key="c" onClick=${() => copyText(curlOf(request.spec))}>curl</button>
    ${request.data &&
    html`<button title="Copy the answer as JSON" onClick=${() => copyText(JSON.stringify(request.data, null, 2))}>JSON</button>`}
  </span>`;
}

// --- figures ---

// A line, or bars with the part of errors in another colour; null = no data.
export function Sparkline({ values, errors, width = 96, height = 20, label }) {
  const max = Math.max(...values.map((value) => value || 0), 1e-9);
  const step = width / Math.max(values.length, 1);
  const y = (value) => height - 1 - (value / max) * (height - 2);
  if (errors) {
    const bar = (value, i, kind) =>
      value > 0 &&
      html`<rect class=${kind} x=${i * step} width=${Math.max(step - 0.8, 0.6)} y=${y(value)} height=${height - y(value)} />`;
    return html`<svg class="spark" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="img" aria-label=${label}>
      ${values.map((value, i) => bar(value, i, 'calls'))}${errors.map((value, i) => bar(value, i, 'errors'))}
    </svg>`;
  }
  let path = '', isPen = false;
  values.forEach((value, i) => {
    if (value === null) return void (isPen = false);
    path += `${isPen ? 'L' : 'M'}${digits(i * step + step / 2)} ${digits(y(value))}`;
    if (!isPen) path += 'h0.01';
    isPen = true;
  });
  return html`<svg class="spark" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="img" aria-label=${label}>
    <path d=${path} />
  </svg>`;
}

// --- inputs ---

// A text that is taken by Enter; the address keeps what was taken, the line what is typed.
export function QueryLine({ value, placeholder, label, onSubmit, suggest, isMain = true }) {
  const [text, setText] = useState(value);
  const [found, setFound] = useState({ from: 0, to: 0, items: [], at: -1 });
  const input = useRef(null);
  useEffect(() => setText(value), [value]);
  const close = () => setFound({ from: 0, to: 0, items: [], at: -1 });
  const offer = async () => {
    if (!suggest || !input.current) return;
    const at = input.current.selectionStart, typed = input.current.value;
    const offered = await suggest(typed, at);
    if (input.current && input.current === document.activeElement && input.current.value === typed) setFound(offered ? { ...offered, at: -1 } : { items: [], at: -1 });
  };
  const take = (item) => {
    const next = text.slice(0, found.from) + item + text.slice(found.to);
    setText(next);
    close();
    const caret = found.from + item.length;
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(caret, caret);
      if (/[=<>~]$/.test(item)) offer();
    });
  };
  const onKey = (event) => {
    const { items, at } = found;
    if (items.length > 0 && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      const next = event.key === 'ArrowDown' ? at + 1 : at - 1;
      return setFound({ ...found, at: next >= items.length ? -1 : next < -1 ? items.length - 1 : next });
    }
    if (items.length > 0 && event.key === 'Escape') {
      event.stopPropagation();
      return close();
    }
    if (items.length > 0 && (event.key === 'Tab' || event.key === 'Enter') && at >= 0) {
      event.preventDefault();
      return take(items[at]);
    }
    if (event.key === 'Enter') {
      event.preventDefault();
      close();
      onSubmit(text.trim());
    }
    return undefined;
  };
  return html`<div class="query-line">
    <input ref=${input} class="query" data-main=${isMain} type="text" value=${text} placeholder=${placeholder} aria-label=${label}
      autocomplete="off" autocapitalize="off" spellcheck=${false} role="combobox" aria-autocomplete="list" aria-expanded=${found.items.length > 0} aria-controls=${found.items.length > 0 ? 'offers' : undefined}
      onInput=${(event) => { setText(event.target.value); offer(); }} onKeyDown=${onKey} onFocus=${offer}
      onBlur=${() => setTimeout(close, 150)} />
    ${found.items.length > 0 &&
    html`<ul class="offers" id="offers" role="listbox" aria-label="Suggestions">
      ${found.items.map(
        (item, i) => html`<li role="option" aria-selected=${i === found.at} class=${i === found.at ? 'on' : ''}
          onMouseDown=${(event) => { event.preventDefault(); take(item); }}>${item}</li>`,
      )}
    </ul>`}
  </div>`;
}

// Up, down, Home, End and Enter in a list; j and k, too. `onOpen` of the chosen row.
export function listKeys({ total, at, onMove, onOpen, page = 15 }) {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const moves = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -total, End: total };
    if (event.key in moves && total > 0) {
      event.preventDefault();
      onMove(Math.max(0, Math.min(total - 1, at + moves[event.key])));
    } else if (event.key === 'Enter' && at >= 0 && at < total && !/^(BUTTON|A)$/.test(event.target.tagName)) {
      event.preventDefault();
      onOpen(at);
    }
  };
}

// Calls the handler for keys anywhere on the page while the view is shown.
export function useKeys(handler) {
  const latest = useRef(handler);
  latest.current = handler;
  // With the view, not after it is painted: a quick key would be lost.
  useLayoutEffect(() => {
    const listen = (event) => latest.current(event);
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
}

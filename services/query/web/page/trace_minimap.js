// All spans of a trace in a few lines, to choose a part of its time by dragging.
import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/preact.js';
import * as format from './format.js';
import { colour, hueOf, isDark } from './ui.js';

const HEIGHT = 48, LANES = 16;
const SPANS_MAX = 20000; // Drawn; of more, every n-th.

function draw(canvas, trace) {
  const scale = devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(HEIGHT * scale);
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  const bad = colour('--error'), isLight = !isDark();
  const step = Math.max(1, Math.ceil(trace.size / SPANS_MAX));
  const lanes = Math.min(LANES, trace.depthMax + 1), lane = HEIGHT / lanes;
  const shades = trace.services.map((name) => `oklch(${isLight ? '0.66' : '0.7'} 0.1 ${hueOf(name)})`);
  for (let i = 0; i < trace.size; i += step) {
    const x = (trace.start[i] / trace.length) * width;
    const y = Math.floor((trace.depth[i] / (trace.depthMax + 1)) * lanes) * lane;
    context.fillStyle = trace.status[i] === 2 ? bad : shades[trace.service[i]];
    context.fillRect(x, y + 0.5, Math.max(1, (trace.duration[i] / trace.length) * width), Math.max(1.5, lane - 1));
  }
}

export function Minimap({ trace, zoom, onZoom }) {
  const canvas = useRef(null);
  const [drag, setDrag] = useState(null);
  useLayoutEffect(() => draw(canvas.current, trace), [trace]);
  useEffect(() => {
    const redraw = () => canvas.current && draw(canvas.current, trace);
    const observer = new ResizeObserver(redraw);
    observer.observe(canvas.current);
    addEventListener('spanway-theme', redraw);
    return () => {
      observer.disconnect();
      removeEventListener('spanway-theme', redraw);
    };
  }, [trace]);
  const timeAt = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * trace.length;
  };
  const down = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = timeAt(event);
    setDrag({ from: at, to: at });
  };
  const up = () => {
    if (!drag) return;
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    setDrag(null);
    // A click without a drag shows everything again.
    if (to - from < trace.length / 200) onZoom(0, 0);
    else onZoom(from, to);
  };
  const shown = drag ? { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) } : zoom;
  const percent = (time) => `${(100 * time) / trace.length}%`;
  return html`<div class="minimap" title="Drag to zoom, click for all" onPointerDown=${down} onPointerMove=${(event) => drag && setDrag({ ...drag, to: timeAt(event) })} onPointerUp=${up}>
    <canvas ref=${canvas} aria-hidden="true"></canvas>
    <i class="veil" style=${{ left: 0, width: percent(shown.from) }}></i><i class="veil" style=${{ left: percent(shown.to), right: 0 }}></i>
    ${drag && html`<i class="drag-label" style=${{ left: percent(shown.from) }}>${format.duration(shown.to - shown.from)}</i>`}
  </div>`;
}

// A chart over time by uPlot, in the colours of the theme.
import uPlot from './vendor/uplot.js';
import { html, useEffect, useRef } from './vendor/preact.js';
import { clock } from './format.js';
import { colour, isDark } from './ui.js';

const stylesheet = new URL('./vendor/uplot.css', import.meta.url).href;
function addStylesheet() {
  if (document.querySelector(`link[href="${stylesheet}"]`)) return;
  const link = document.createElement('link');
  Object.assign(link, { rel: 'stylesheet', href: stylesheet });
  document.head.append(link);
}

const shade = (hue) => `oklch(${isDark() ? 0.74 : 0.55} 0.13 ${hue})`;

// `series`: [{label, values, colour: hue or name of a variable, bars}], `times` in seconds. `onZoom(from, to)` in
// milliseconds when a part is dragged.
export function Chart({ times, series, height = 240, format, onZoom, label }) {
  const node = useRef(null);
  useEffect(() => {
    addStylesheet();
    let plot;
    const make = () => {
      plot?.destroy();
      const text = colour('--soft'), grid = colour('--grid');
      const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '11px system-ui, sans-serif' };
      // A value counts the step that ends at its time.
      const bars = uPlot.paths.bars({ size: [0.9, 40], align: -1 });
      const strokeOf = (one) => (typeof one.colour === 'number' ? shade(one.colour) : colour(one.colour));
      plot = new uPlot(
        {
          width: node.current.clientWidth, height, legend: { show: false }, cursor: { drag: { x: true, y: false, setScale: false } },
          scales: { y: { range: (_u, min, max) => [Math.min(0, min ?? 0), (max ?? 0) > 0 ? max * 1.08 : 1] } },
          axes: [{ ...axis, space: 70, values: (_u, splits) => splits.map((one) => clock(one, splits)) }, { ...axis, size: 62, values: (_u, splits) => splits.map((one) => format(one)) }],
          series: [{}, ...series.map((one) => ({
            label: one.label, stroke: strokeOf(one), width: one.bars ? 0 : 1.5, points: { show: one.values.filter((value) => value !== null).length < 3 },
            ...(one.bars ? { paths: bars, fill: strokeOf(one) } : {}),
          }))],
          hooks: {
            setSelect: [(u) => {
              if (u.select.width > 4 && onZoom) onZoom(u.posToVal(u.select.left, 'x') * 1000, u.posToVal(u.select.left + u.select.width, 'x') * 1000);
            }],
          },
        },
        [times, ...series.map((one) => one.values)],
        node.current,
      );
    };
    make();
    const observer = new ResizeObserver(() => plot.setSize({ width: node.current.clientWidth, height }));
    observer.observe(node.current);
    addEventListener('spanway-theme', make);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', make);
    return () => {
      observer.disconnect();
      removeEventListener('spanway-theme', make);
      scheme.removeEventListener('change', make);
      plot.destroy();
    };
  }, [times, series, height]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${node}></div>`;
}

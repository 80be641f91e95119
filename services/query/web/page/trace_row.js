// One row of the waterfall.
import { html } from './vendor/preact.js';
import * as format from './format.js';
import { endOf, isError } from './trace_tree.js';
import { indentOf } from './trace_rows.js';
import { hueOf } from './ui.js';

export const narrowQuery = matchMedia('(max-width: 760px)');
export const rowHeight = (isNarrow) => (isNarrow ? 40 : 24);
const KINDS = ['', '', 'server', 'client', 'producer', 'consumer'];

// Percent of the time in sight; at least a sliver.
function spread(from, to, zoom) {
  const length = zoom.to - zoom.from;
  const left = (100 * (Math.max(from, zoom.from) - zoom.from)) / length;
  const width = (100 * (Math.min(to, zoom.to) - Math.max(from, zoom.from))) / length;
  return { left, width };
}

function Bar({ from, to, zoom, hue, label, isBad, path, isGroup }) {
  if (to < zoom.from || from > zoom.to) return html`<span class="bar-cell"></span>`;
  const { left, width } = spread(from, to, zoom);
  // Behind the bar, before it, or on it: where there is room.
  const side = left + width <= 82 ? 'after' : left >= 14 ? 'before' : 'inside';
  const place = { after: { left: `${left + width}%` }, before: { right: `${100 - left}%` }, inside: { right: `${Math.max(0, 100 - left - width)}%` } }[side];
  return html`<span class="bar-cell">
    <i class=${`span-bar ${isGroup ? 'repeated' : ''} ${isBad ? 'failed-bar' : ''}`} style=${{ left: `${left}%`, width: `${width}%`, '--h': hue }}></i>
    ${path?.map((part) => {
      if (part.to < zoom.from || part.from > zoom.to) return null;
      const spot = spread(part.from, part.to, zoom);
      return html`<i class="path-part" style=${{ left: `${spot.left}%`, width: `${spot.width}%` }}></i>`;
    })}
    <i class=${`bar-label ${side}`} style=${place}>${label}</i>
  </span>`;
}

export function Row({ trace, item, group, depth, isOn, isOpen, zoom, height, path, onPick, onToggle }) {
  const span = group ? group.members[0] : item;
  const service = trace.services[trace.service[span]], name = trace.names[trace.name[span]];
  const isBad = group ? group.errors > 0 : isError(trace, span);
  const below = group ? group.members.length : trace.below[span];
  const from = group ? group.from : trace.start[span], to = group ? group.to : endOf(trace, span);
  const label = group ? `${format.duration(group.total)} in all` : format.duration(trace.duration[span]);
  const isOrphan = !group && trace.parent[span] === -2;
  const toggle = (event) => {
    event.stopPropagation();
    onToggle();
  };
  return html`<div class=${`row ${isOn ? 'on' : ''} ${isBad ? 'bad-row' : ''}`} style=${{ height: `${height}px` }} onClick=${onPick} role="treeitem" aria-level=${depth + 1}
      aria-selected=${isOn} aria-expanded=${below > 0 ? isOpen : undefined} data-span=${group ? '' : span}>
    <span class="name-cell" style=${{ paddingLeft: `${indentOf(depth)}px`, '--h': hueOf(service) }}>
      ${below > 0
        ? html`<button class="fold" tabindex="-1" aria-label=${isOpen ? 'Close' : 'Open'} onClick=${toggle}>${isOpen ? '▾' : '▸'}</button>`
        : html`<i class="fold"></i>`}
      <i class="tick"></i><span class="row-service">${service}</span> <span class="row-name">${name}</span>
      ${group && html`<b class="repeat">× ${group.members.length}</b>`}
      ${!group && !isOpen && below > 0 && html`<span class="hidden-below">+${format.count(below)}</span>`}
      ${isOrphan && html`<span class="orphan" title="Its parent has not arrived">no parent</span>`}
      ${isBad && html`<span class="bad-mark" title=${group ? format.plural(group.errors, 'error') : 'error'}>${group ? `${group.errors} !` : '!'}</span>`}
      <span class="sr">${KINDS[trace.kind[span]]} ${label}</span>
    </span>
    <${Bar} from=${from} to=${to} zoom=${zoom} hue=${hueOf(service)} label=${label} isBad=${isBad} path=${path} isGroup=${Boolean(group)} />
  </div>`;
}

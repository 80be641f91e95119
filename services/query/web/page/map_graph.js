// The service map as a drawing.
import { html, useMemo } from './vendor/preact.js';
import { findingsOfEdge, kindTitle, sentenceOf } from './findings.js';
import * as format from './format.js';
import { href, hueOf } from './ui.js';

const NODE_HEIGHT = 44, CHARACTER = 7.6, DETAIL_CHARACTER = 6.2, MARK_WIDTH = 22;
const ERRORS_MARKED = 0.01;

const detailOf = (figures) =>
  figures?.calls > 0 ? `p95 ${format.duration(figures.p95Ms === null ? NaN : figures.p95Ms * 1000)}${figures.errors > 0 ? ` · ${format.percent(figures.errors / figures.calls)} failed` : ''}` : '';
const widthOf = (name, detail) => Math.max(110, name.length * CHARACTER + 44 + MARK_WIDTH, detail.length * DETAIL_CHARACTER + 32);

// Figures of an edge: what is written on it, and how thick it is.
export const MEASURES = {
  calls: { title: 'calls and errors', of: (edge) => edge.calls, text: (edge) => `${format.count(edge.calls)}${edge.errors > 0 ? ` · ${format.count(edge.errors)} failed` : ''}` },
  errors: { title: 'part that fails', of: (edge) => edge.errors / Math.max(edge.calls, 1), text: (edge) => (edge.calls > 0 ? format.percent(edge.errors / edge.calls) : '') },
  p95: { title: 'p95', of: (edge) => edge.p95Ms || 0, text: (edge) => (edge.p95Ms === null || edge.p95Ms === undefined ? '' : format.duration(edge.p95Ms * 1000)) },
};

// By the figures of the whole range, so that nothing moves with the slider.
function layout(dagre, edges, figures) {
  const graph = new dagre.Graph().setGraph({ rankdir: innerWidth < 760 ? 'TB' : 'LR', nodesep: 26, ranksep: 44, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of new Set(edges.flatMap((edge) => [edge.from, edge.to])))
    graph.setNode(name, { width: widthOf(name, detailOf(figures.get(name))), height: NODE_HEIGHT });
  for (const edge of edges)
    if (edge.from !== edge.to) graph.setEdge(edge.from, edge.to, { width: 24 + DETAIL_CHARACTER * MEASURES.calls.text(edge).length, height: 14, labelpos: 'c' });
  dagre.layout(graph);
  return graph;
}

const pathOf = (points) => {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  for (let i = 0; i < rest.length; ++i) {
    const next = rest[i + 1];
    path += next ? ` Q${rest[i].x} ${rest[i].y} ${(rest[i].x + next.x) / 2} ${(rest[i].y + next.y) / 2}` : ` L${rest[i].x} ${rest[i].y}`;
  }
  return path;
};

function Node({ name, node, kind, figures, findings, self, isOn, link }) {
  const detail = detailOf(figures);
  const isBad = figures?.calls > 0 && figures.errors / figures.calls >= ERRORS_MARKED;
  const label = [name, kind !== 'service' && kind, detail, findings.length > 0 && format.plural(findings.length, 'finding')].filter(Boolean).join(', ');
  return html`<a class=${`node ${kind} ${isOn ? 'on' : ''} ${isBad ? 'bad-node' : ''}`} href=${link}>
    <g transform=${`translate(${node.x - node.width / 2},${node.y - node.height / 2})`}><rect width=${node.width} height=${node.height} rx=${kind === 'database' ? 16 : 6} />
      <rect class="node-mark" width="4" height=${node.height - 14} x="7" y="7" rx="2" style=${{ '--h': hueOf(name) }} />
      <text x="19" y="18">${name}${self ? ' ⟲' : ''}</text><text class="detail" x="19" y="34">${detail || (kind === 'service' ? '' : kind)}</text>
      ${findings.length > 0 && html`<g class=${`node-findings ${findings.some((one) => one.isOpen) ? 'open' : ''}`} transform=${`translate(${node.width - 16},15)`}><circle r="9" /><text y="4">${findings.length}</text></g>`}
      <title>${[label, ...findings.slice(0, 5).map((one) => `${kindTitle(one.kind)}: ${one.operation} ${sentenceOf(one)}`)].join('\n')}</title></g></a>`;
}

function Edge({ edge, place, measure, most, findings }) {
  const part = edge.calls > 0 ? edge.errors / edge.calls : 0;
  const title = [`${edge.from} → ${edge.to}: ${format.plural(edge.calls, 'call')}${edge.errors ? `, ${format.plural(edge.errors, 'error')}` : ''}${edge.p95Ms ? `, p95 ${format.duration(edge.p95Ms * 1000)}` : ''}${edge.links.some((one) => one !== 'call') ? ` (${edge.links.join(', ')})` : ''}`,
    ...findings.slice(0, 5).map((one) => `${kindTitle(one.kind)}: ${one.operation} ${sentenceOf(one)}`)].join('\n');
  const classes = ['edge', part >= ERRORS_MARKED && 'bad-edge', findings.length > 0 && 'found-edge', edge.calls === 0 && 'idle-edge', edge.links.includes('messaging') && 'messaging'].filter(Boolean);
  return html`<g class=${classes.join(' ')}><path d=${pathOf(place.points)} stroke-width=${1 + 3 * Math.sqrt(measure.of(edge) / most)} marker-end="url(#arrow)" />
    <text x=${place.x} y=${place.y + 4}>${findings.length > 0 ? '▲ ' : ''}${edge.calls > 0 ? measure.text(edge) : ''}</text><title>${title}</title></g>`;
}

// `all`: the edges of the range; `edges`: the same with the figures of the step in sight.
export function MapGraph({ dagre, all, edges, kinds, figures, figuresOfAll, findings, by, service, params }) {
  const graph = useMemo(() => layout(dagre, all, figuresOfAll), [all, figuresOfAll]);
  const { width, height } = graph.graph();
  const measure = MEASURES[by];
  const most = Math.max(...all.map((edge) => measure.of(edge)), ...edges.map((edge) => measure.of(edge)), 1e-9);
  const own = new Set(all.filter((edge) => edge.from === edge.to).map((edge) => edge.from));
  return html`<div class="map" tabindex="0" role="group" aria-label="Service map"><svg width=${width} height=${height} viewBox="0 0 ${width} ${height}">
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" /></marker></defs>
    ${edges.filter((edge) => edge.from !== edge.to).map((edge) => html`<${Edge} key=${`${edge.from}\n${edge.to}`} edge=${edge} place=${graph.edge(edge.from, edge.to)} measure=${measure} most=${most} findings=${findingsOfEdge(edge, edges, findings)} />`)}
    ${graph.nodes().map((name) => html`<${Node} key=${name} name=${name} node=${graph.node(name)} kind=${kinds.get(name) || 'service'} figures=${figures.get(name)} findings=${findings.filter((one) => one.service === name)}
      self=${own.has(name)} isOn=${name === service} link=${href('service', [name], params)} />`)}
  </svg></div>`;
}

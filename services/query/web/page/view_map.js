// Which service calls which.
import { html, useEffect, useMemo, useState } from './vendor/preact.js';
import { requests } from './api.js';
import * as format from './format.js';
import { edgesOf } from './series.js';
import { timesIn } from './route.js';
import { wordOf } from './query_text.js';
import { Answer, CopyMenu, Empty, Service, href, hueOf } from './ui.js';
import { useRequest } from './use_request.js';

const NODE_HEIGHT = 44, CHARACTER = 7.6, DETAIL_CHARACTER = 6.2;

const detailOf = (figures) =>
  figures ? `p95 ${format.duration(figures.durationP95Ms * 1000)}${figures.errors > 0 ? ` · ${format.percent(figures.errors / figures.calls)} failed` : ''}` : '';
const widthOf = (name, detail) => Math.max(110, name.length * CHARACTER + 44, detail.length * DETAIL_CHARACTER + 32);

function layout(dagre, edges, figures) {
  const graph = new dagre.Graph().setGraph({ rankdir: innerWidth < 760 ? 'TB' : 'LR', nodesep: 26, ranksep: 90, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of new Set(edges.flatMap((edge) => [edge.from, edge.to])))
    graph.setNode(name, { width: widthOf(name, detailOf(figures.get(name))), height: NODE_HEIGHT, figures: figures.get(name) });
  for (const edge of edges) if (edge.from !== edge.to) graph.setEdge(edge.from, edge.to, { edge });
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

function Node({ name, node, self, isOn, link }) {
  const { figures } = node;
  const part = figures ? figures.errors / figures.calls : 0;
  const detail = detailOf(figures);
  return html`<a class=${`node ${isOn ? 'on' : ''} ${part >= 0.01 ? 'bad-node' : ''}`} href=${link} aria-label=${`${name} ${detail}`}>
    <g transform=${`translate(${node.x - node.width / 2},${node.y - node.height / 2})`}><rect width=${node.width} height=${node.height} rx="6" />
      <rect class="node-mark" width="4" height=${node.height - 14} x="7" y="7" rx="2" style=${{ '--h': hueOf(name) }} />
      <text x="19" y="18">${name}${self ? ' ⟲' : ''}</text><text class="detail" x="19" y="34">${detail}</text></g></a>`;
}

function Graph({ dagre, edges, figures, service, params }) {
  const graph = useMemo(() => layout(dagre, edges, figures), [edges, figures]);
  const { width, height } = graph.graph();
  const most = Math.max(...edges.map((edge) => edge.calls), 1);
  const own = new Set(edges.filter((edge) => edge.from === edge.to).map((edge) => edge.from));
  return html`<div class="map" tabindex="0" role="group" aria-label="Service map"><svg width=${width} height=${height} viewBox="0 0 ${width} ${height}">
    <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" /></marker></defs>
    ${graph.edges().map((id) => {
      const { points, edge } = graph.edge(id);
      const middle = points[Math.floor(points.length / 2)];
      return html`<g class=${`edge ${edge.errors > 0 ? 'bad-edge' : ''}`}><path d=${pathOf(points)} stroke-width=${1 + 3 * Math.sqrt(edge.calls / most)} marker-end="url(#arrow)"><title>${edge.from} → ${edge.to}: ${format.plural(edge.calls, 'call')}${edge.errors ? `, ${format.plural(edge.errors, 'error')}` : ''}</title></path>
        <text x=${middle.x} y=${middle.y - 5}>${format.count(edge.calls)}${edge.errors > 0 ? ` · ${format.count(edge.errors)}!` : ''}</text></g>`;
    })}
    ${graph.nodes().map((name) => html`<${Node} name=${name} node=${graph.node(name)} self=${own.has(name)} isOn=${name === service} link=${href('service', [name], params)} />`)}
  </svg></div>`;
}

function EdgeTable({ edges, params }) {
  return html`<table class="red"><thead><tr><th>Caller</th><th>Called</th><th class="n">Calls</th><th class="n">Errors</th></tr></thead>
    <tbody>${edges.map((edge) => html`<tr><td><a href=${href('service', [edge.from], params)}><${Service} name=${edge.from} /></a></td><td><a href=${href('search', [], { ...params, q: wordOf('service', edge.to) })}><${Service} name=${edge.to} /></a></td><td class="n">${format.count(edge.calls)}</td>
      <td class=${`n ${edge.errors ? 'bad' : 'faint'}`}>${format.count(edge.errors)}</td></tr>`)}</tbody></table>`;
}

export function MapView({ route, setParams, times }) {
  const [dagre, setDagre] = useState(null);
  useEffect(() => void import('./vendor/dagre.js').then((module) => setDagre(module)), []);
  const request = useRequest(requests.dependencies(times));
  const services = useRequest(requests.services(times));
  const { service = '' } = route.params;
  const edges = useMemo(() => (request.data ? edgesOf(request.data, service) : []), [request.data, service]);
  const figures = useMemo(() => new Map((services.data?.services || []).map((row) => [row.name, row])), [services.data]);
  const params = timesIn(route.params);
  const isTable = route.params.as === 'table';
  return html`<div class="head"><h1>Service map</h1>
      ${service && html`<span class="links">around <${Service} name=${service} /> <button onClick=${() => setParams({ service: '' })}>Show all</button></span>`}
      <span class="head-end"><button aria-pressed=${isTable} onClick=${() => setParams({ as: isTable ? '' : 'table' })}>As a table</button><${CopyMenu} request=${request} /></span></div>
    <${Answer} request=${request} label="Reading calls">${() =>
      edges.length === 0
        ? html`<${Empty} title="No calls between services in this range"><p>An edge is a span whose parent belongs to another service. Choose a longer range above, or check that your services pass <code>traceparent</code> on.</p><//>`
        : isTable || !dagre ? html`<${EdgeTable} edges=${edges} params=${params} />` : html`<${Graph} dagre=${dagre} edges=${edges} figures=${figures} service=${service} params=${params} />`}<//>`;
}

// Two traces, by the paths of calls that they have in common.
import { html, useMemo } from './vendor/preact.js';
import { requests } from './api.js';
import * as format from './format.js';
import { compareTraces } from './trace_compare.js';
import { indentOf } from './trace_rows.js';
import { decodeSkeleton } from './trace_tree.js';
import { Answer, Empty, Service, href } from './ui.js';
import { useRequest } from './use_request.js';

// Rows in the page; a trace with more paths than this is compared by its first ones.
const ROWS_MAX = 2000;

function Head({ label, trace }) {
  const service = trace.services[trace.service[trace.root]];
  return html`<a class=${`compared ${label}`} href=${href('trace', [trace.id])}><b class="letter">${label.toUpperCase()}</b> <${Service} name=${service} /> ${trace.names[trace.name[trace.root]]}
    <span><b>${format.duration(trace.length)}</b> · ${format.plural(trace.size, 'span')} · ${format.time(trace.beginMillis)}</span></a>`;
}

function Side({ figures }) {
  if (figures.spans === 0) return html`<td class="n faint">–</td>`;
  return html`<td class="n">${format.duration(figures.total)}${figures.spans > 1 && html` <b class="repeat">× ${figures.spans}</b>`}${figures.errors > 0 && html` <span class="bad">!</span>`}</td>`;
}

function Table({ a, b }) {
  const rows = useMemo(() => compareTraces(a, b), [a, b]);
  const largest = Math.max(...rows.slice(0, ROWS_MAX).map((row) => Math.abs(row.difference)), 1);
  return html`<div class="compare-heads"><${Head} label="a" trace=${a} /><${Head} label="b" trace=${b} /></div>
    <div class="compare-scroll"><table class="compare" tabindex="0"><thead><tr><th>Path of calls</th><th class="n">A</th><th class="n">B</th><th class="wide">slower in A | in B</th><th class="n">B − A</th></tr></thead>
    <tbody>${rows.slice(0, ROWS_MAX).map((row) => {
      const width = `${(50 * Math.abs(row.difference)) / largest}%`;
      const kind = row.b.spans === 0 ? 'only-a' : row.a.spans === 0 ? 'only-b' : '';
      return html`<tr class=${kind}><td><span style=${{ paddingLeft: `${indentOf(row.depth)}px` }}><${Service} name=${row.service} /> ${row.name}${kind && html` <i class="faint">only in ${kind === 'only-a' ? 'A' : 'B'}</i>`}</span></td>
        <${Side} figures=${row.a} /><${Side} figures=${row.b} />
        <td class="wide"><span class="versus"><i class=${row.difference > 0 ? 'more' : 'less'} style=${row.difference > 0 ? { left: '50%', width } : { right: '50%', width }}></i></span></td>
        <td class="n">${row.difference > 0 ? '+' : ''}${format.duration(row.difference)}</td></tr>`;
    })}</tbody></table></div>
    ${rows.length > ROWS_MAX && html`<p class="foot">The first ${format.count(ROWS_MAX)} of ${format.count(rows.length)} paths.</p>`}`;
}

export function CompareView({ route }) {
  const [first, second] = route.args;
  const a = useRequest(first ? requests.skeleton(first) : null), b = useRequest(second ? requests.skeleton(second) : null);
  const left = useMemo(() => (a.data ? decodeSkeleton(a.data) : null), [a.data]);
  const right = useMemo(() => (b.data ? decodeSkeleton(b.data) : null), [b.data]);
  if (!first || !second)
    return html`<${Empty} title="Two traces are compared"><p>Mark two in <a href=${href('search')}>Traces</a> with m, or put their ids into the address: <code>#/compare/ID/ID</code>.</p><//>`;
  return html`<${Answer} request=${a} label="Reading the first trace">${() => html`<${Answer} request=${b} label="Reading the second trace">${() => html`<${Table} a=${left} b=${right} />`}<//>`}<//>`;
}

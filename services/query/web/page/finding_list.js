// Findings as rows, and as a mark beside a name.
import { html } from './vendor/preact.js';
import { requests } from './api.js';
import { kindTitle, sentenceOf } from './findings.js';
import * as format from './format.js';
import { wordOf } from './query_text.js';
import { Service, href } from './ui.js';
import { useRequest } from './use_request.js';

const NONE = [];

// The findings of a range; none where the server has no insight, which `isOff` says.
export function useFindings(times, filter = {}) {
  const request = useRequest(requests.findings(times, filter));
  const status = request.state === 'failed' ? request.error.status : 0;
  return { request, findings: request.data?.findings || NONE, leftOut: request.data?.leftOut || 0, isOff: status === 404 || status === 501 };
}

export function FindingMark({ findings, link }) {
  if (!findings?.length) return null;
  const open = findings.filter((one) => one.isOpen).length;
  const title = findings.slice(0, 5).map((one) => `${kindTitle(one.kind)}: ${one.operation} ${sentenceOf(one)}`).join('\n');
  return html`<a class=${`finding-mark ${open > 0 ? 'open' : ''}`} href=${link} title=${title} aria-label=${format.plural(findings.length, 'finding')} onClick=${(event) => event.stopPropagation()}>${findings.length}</a>`;
}

function Traces({ ids, params }) {
  if (ids.length === 0) return null;
  return html`<span class="finding-traces"><a href=${href('trace', [ids[0]], params)}>example trace</a>${ids.slice(1).map((id, i) => html` · <a href=${href('trace', [id], params)} aria-label=${`Example trace ${i + 2}`}>${i + 2}</a>`)}</span>`;
}

export function FindingRow({ finding, at, isOn, params, now, onPick }) {
  const operation = `${wordOf('service', finding.service)} ${wordOf('name', finding.operation)}`;
  const from = Date.parse(finding.startTime), to = Date.parse(finding.endTime);
  return html`<li class=${`finding ${finding.isOpen ? 'open' : ''} ${isOn ? 'on' : ''}`} data-row=${at} onClick=${onPick}>
    <b class="finding-kind">${kindTitle(finding.kind)}</b>
    <span class="finding-name"><a href=${href('service', [finding.service], params)}><${Service} name=${finding.service} /></a>
      ${finding.operation && html` <a class="finding-operation" href=${href('search', [], { ...params, q: operation })}>${finding.operation}</a>`}</span>
    <span class="finding-text">${sentenceOf(finding)}${finding.also?.length > 0 && html` <span class="soft">(in the same traces: ${finding.also.join(', ')})</span>`}</span>
    <span class="finding-time soft">${finding.isOpen ? html`<b class="bad">since ${format.time(from, now, false)}</b>` : `${format.time(from, now, false)} – ${format.time(to, to, false)}`}</span>
    <${Traces} ids=${finding.traceIds} params=${params} />
  </li>`;
}

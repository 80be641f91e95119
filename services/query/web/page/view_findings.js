// What the insight has found by itself: slower and failing operations, repeated calls, attributes that go with them.
import { html, useState } from './vendor/preact.js';
import { KINDS, ordered } from './findings.js';
import { FindingRow, useFindings } from './finding_list.js';
import * as format from './format.js';
import { timesIn } from './route.js';
import { Answer, CopyMenu, Empty, href, listKeys, useKeys } from './ui.js';

function NothingFound({ kept }) {
  return html`<${Empty} title="Nothing was found in this range">
    <p>Operations are compared with their own last 24 hours and with the same hour of the last weeks, in windows of five
      minutes, two minutes after the end of each. An operation that is new has no baseline yet; repeated calls and the
      critical path are found without one.</p>
    ${kept === 'memory' && html`<p>This server keeps findings in its memory alone: those of before its start are gone.</p>`}
  <//>`;
}

export function FindingsView({ route, go, setParams, times, now }) {
  const { kind = '', service = '' } = route.params;
  const { request, findings, leftOut, isOff } = useFindings(times, { kind, service });
  const [at, setAt] = useState(0);
  const params = timesIn(route.params);
  const rows = ordered(findings);
  const open = (i) => (rows[i].traceIds.length > 0 ? go({ view: 'trace', args: [rows[i].traceIds[0]], params }) : go({ view: 'service', args: [rows[i].service], params }));
  const keys = listKeys({
    total: rows.length, at, onOpen: open,
    onMove: (next) => { setAt(next); document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: 'nearest' }); },
  });
  useKeys((event) => event.defaultPrevented || keys(event));
  return html`<div class="head"><h1>Findings</h1>
      <select data-main="true" aria-label="Kind" value=${kind} onChange=${(event) => setParams({ kind: event.target.value })}><option value="">all kinds</option>${Object.entries(KINDS).map(([name, title]) => html`<option value=${name}>${title}</option>`)}</select>
      ${service && html`<span class="links">of ${service} <button onClick=${() => setParams({ service: '' })}>Of all services</button></span>`}
      <span class="head-end"><${CopyMenu} request=${request} /></span></div>
    ${isOff
      ? html`<${Empty} title="This server looks for no findings"><p>Set <code>insight.enabled: true</code> in the configuration of spanway-query. <a href=${href('services', [], params)}>Services</a> show figures all the same.</p><//>`
      : html`<${Answer} request=${request} label="Reading findings">${(data) =>
          rows.length === 0
            ? html`<${NothingFound} kept=${data.kept} />`
            : html`<ul class="findings" aria-label="Findings">${rows.map((finding, i) => html`<${FindingRow} key=${finding.kind + finding.subject + finding.startTime} finding=${finding} at=${i} isOn=${i === at} params=${params} now=${now} onPick=${() => setAt(i)} />`)}</ul>
                ${leftOut > 0 && html`<p class="foot">${format.plural(leftOut, 'older finding')} left out: choose a shorter range or a kind.</p>`}
                ${request.coverage && html`<p class="foot">${request.coverage}</p>`}`}<//>`}`;
}

// A list of log lines.
import { html, useState } from './vendor/preact.js';
import * as format from './format.js';
import { levelOf } from './log_entries.js';
import { copyText, href, Service } from './ui.js';

function Line({ entry, begin, withTrace, onSpan, isOn, at, isOpen, onToggle, now }) {
  const { labels } = entry;
  const level = levelOf(labels);
  const time = begin === undefined ? format.time(entry.millis, now) : format.duration((entry.millis - begin) * 1000);
  const onKey = (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    onToggle();
  };
  return html`<li class=${`line ${level} ${isOn ? 'on' : ''}`} data-row=${at}>
    <div class="line-head" role="button" tabindex="0" aria-expanded=${isOpen} onClick=${onToggle} onKeyDown=${onKey}>
      <time title=${new Date(entry.millis).toISOString()}>${time}</time><i class="level" title=${level}>${level === 'none' ? '' : level}</i>
      ${labels.service_name && html`<${Service} name=${labels.service_name} />`}<span class="line-text">${entry.line}</span>
    </div>
    ${isOpen && html`<div class="line-more"><p>
        ${withTrace && labels.trace_id && html`<a class="button" href=${href('trace', [labels.trace_id], { span: labels.span_id, side: 'logs' })}>Trace</a> `}
        ${!withTrace && labels.span_id && html`<button onClick=${() => onSpan(labels.span_id)}>Its span</button> `}
        <button onClick=${() => copyText(JSON.stringify(entry, null, 2))}>Copy</button></p>
      <dl class="attributes">${Object.entries(labels).sort().map(([key, value]) => html`<dt>${key}</dt><dd><span class="value">${value}</span></dd>`)}</dl></div>`}
  </li>`;
}

export function LogLines({ entries, begin, withTrace = true, onSpan, cursor = -1, opened, onToggle, now }) {
  const [own, setOwn] = useState(new Set());
  const isOpen = (at) => (opened || own).has(at);
  const toggle = (at) => {
    if (onToggle) return onToggle(at);
    const next = new Set(own);
    if (!next.delete(at)) next.add(at);
    return setOwn(next);
  };
  return html`<ol class="lines">${entries.map((entry, at) => html`<${Line} key=${`${entry.nanos}/${at}`} entry=${entry} at=${at} begin=${begin} withTrace=${withTrace} onSpan=${onSpan} now=${now}
    isOn=${at === cursor} isOpen=${isOpen(at)} onToggle=${() => toggle(at)} />`)}</ol>`;
}

// Findings of the insight as sentences, and where they are marked. Pure.
import * as format from './format.js';

export const KINDS = {
  latency_regression: 'Slower', error_rate: 'Fails more', call_rate: 'Calls changed', n_plus_one: 'Repeated calls',
  critical_path: 'Most of the time', relation: 'Related attribute',
};
export const kindTitle = (kind) => KINDS[kind] || kind;

// What was seen, beside what was expected.
export function sentenceOf(finding) {
  const { baseline, observed, token, symptom } = finding;
  switch (finding.kind) {
    case 'latency_regression':
      return `p95 ${format.duration(baseline / 1000)} → ${format.duration(observed / 1000)}`;
    case 'error_rate':
      return `${format.percent(observed)} of the calls fail, ${format.percent(baseline)} before`;
    case 'call_rate':
      return `${symptom === 'fewer' ? 'fewer' : 'more'} calls: ${format.count(observed)} in five minutes, ${format.count(baseline)} before`;
    case 'n_plus_one':
      return `${format.count(Math.round(observed))} calls one after the other: ${token}`;
    case 'critical_path':
      return `${format.percent(observed)} of its time is ${token}`;
    case 'relation':
      return `${token}: in ${format.percent(observed)} of the ${symptom || 'slow'} traces, ${format.percent(baseline)} of the others`;
    default:
      return [token, `${format.digits(baseline)} → ${format.digits(observed)}`].filter(Boolean).join(': ');
  }
}

// Open ones first, then the newest and the most certain.
export const ordered = (findings) =>
  [...findings].sort((a, b) => Number(b.isOpen) - Number(a.isOpen) || Date.parse(b.endTime) - Date.parse(a.endTime) || b.score - a.score);

export function byService(findings) {
  const found = new Map();
  for (const finding of findings) found.set(finding.service, [...(found.get(finding.service) || []), finding]);
  return found;
}

const isInside = (finding, from, to) => Date.parse(finding.startTime) < to && Date.parse(finding.endTime) > from;
export const findingsIn = (findings, from, to) => findings.filter((finding) => isInside(finding, from, to));

// Of the calls that a service makes, not of those that it takes.
const isOfCalls = (finding) => finding.kind === 'n_plus_one' || ['client', 'producer'].includes(finding.spanKind);
const SLOW_OR_FAILED = new Set(['latency_regression', 'error_rate', 'call_rate']);

// Findings that an edge shows: those of what its child answers, and of the calls that its parent makes where they
// can only be this edge's, or name its child.
export function findingsOfEdge(edge, edges, findings) {
  const siblings = edges.filter((one) => one.from === edge.from && one.to !== edge.from);
  const isNamed = (finding, child) => `${finding.token} ${finding.operation}`.toLowerCase().includes(child.toLowerCase());
  return findings.filter((finding) => {
    if (finding.service === edge.to && !isOfCalls(finding)) return SLOW_OR_FAILED.has(finding.kind) && edge.from !== edge.to;
    if (finding.service !== edge.from || !isOfCalls(finding)) return false;
    const named = siblings.filter((one) => isNamed(finding, one.to));
    return named.length > 0 ? named.includes(edge) : siblings.length === 1 && siblings[0] === edge;
  });
}

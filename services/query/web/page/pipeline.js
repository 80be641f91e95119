// The answer of /api/v1/pipeline as rows: a service, whether it works, and its figures. Pure.
import * as format from './format.js';

const sum = (rows, key) => rows.reduce((total, row) => total + (row[key] || 0), 0);
// A destination that is so far behind is pointed out.
export const LAG_MARKED_SECONDS = 60;

export function roleOf(part) {
  if (part.received) return 'ingress';
  if (part.mode === 'consume' || (part.partitions?.length > 0 && part.mode !== 'produce')) return 'consumer';
  if (part.mode) return part.mode === 'produce' ? 'producer' : 'bridge';
  if (part.store) return 'query';
  return part.destination ? 'exporter' : 'service';
}

const peerText = (peer) => {
  if (!peer || peer.reachable === null || peer.reachable === undefined) return '';
  if (peer.circuit && peer.circuit !== 'closed') return `circuit ${peer.circuit.replace('_', ' ')}`;
  return peer.reachable ? '' : `does not answer${peer.last_error_reason ? `: ${peer.last_error_reason.replaceAll('_', ' ')}` : ''}`;
};

// What is wrong, in the order of weight.
function troubles(part) {
  const found = [];
  if (part.ready === false) found.push('not ready');
  if (part.kafka && part.kafka.reachable === false) found.push('Kafka is away');
  if (part.produce && part.produce.ok === false) found.push(`cannot write to Kafka${part.produce.last_error_reason ? `: ${part.produce.last_error_reason.replaceAll('_', ' ')}` : ''}`);
  if (part.assignment && part.assignment.ok === false) found.push('has no partitions as it should');
  const stalls = (part.stalls || []).length;
  if (stalls > 0) found.push(`${format.plural(stalls, 'stall')} for ${format.duration(Math.max(...part.stalls.map((one) => one.seconds)) * 1e6)}`);
  for (const [name, peer] of [['destination', part.destination], ['next service', part.next], ['store', part.store]]) {
    const text = peerText(peer);
    if (text) found.push(`${name}: ${text}`);
  }
  if (part.lost_records > 0) found.push(`${format.plural(part.lost_records, 'record')} deleted before they were read`);
  if (part.memory?.gate_closed) found.push('near its memory limit');
  return found;
}

function rowOf(name, part) {
  const partitions = part.partitions || [], items = part.items || [];
  const role = roleOf(part);
  const isConsumer = items.length > 0 || role === 'consumer';
  const lagSeconds = Math.max(0, ...partitions.map((one) => one.lag_seconds || 0));
  const dead = sum(items, 'dead_lettered');
  const found = troubles(part);
  if (isConsumer && lagSeconds >= LAG_MARKED_SECONDS) found.push('falls behind');
  if (dead > 0) found.push(`${format.plural(dead, 'dead letter')}`);
  const to = part.destination || part.next || part.store;
  return {
    name: part.part ? `${name} / ${part.part}` : name, role, troubles: found, isOk: found.length === 0,
    to: to ? [to.name || to.type || to.endpoint].filter(Boolean).join(' ') : '',
    lagSeconds: isConsumer ? lagSeconds : null, lagMessages: isConsumer ? sum(partitions, 'lag_messages') : null,
    items: isConsumer ? sum(items, 'delivered') : part.received ? Object.values(part.received).reduce((a, b) => a + b, 0) : null,
    dead: isConsumer ? dead : null, rejected: isConsumer ? sum(items, 'rejected') : null, memory: part.memory || null,
  };
}

export function pipelineRows(data) {
  return (data?.services || []).flatMap((service) =>
    service.answered
      ? service.services.map((part) => rowOf(service.name, part))
      : [{ name: service.name, role: '', to: '', troubles: [service.error], isOk: false, lagSeconds: null, lagMessages: null, items: null, dead: null, rejected: null, memory: null }],
  );
}

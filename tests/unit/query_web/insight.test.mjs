// The page's pure parts for findings, the service map and the pipeline: node --test tests/unit/query_web
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, byService, findingsIn, findingsOfEdge, ordered, sentenceOf } from '../../../services/query/web/page/findings.js';
import { pipelineRows } from '../../../services/query/web/page/pipeline.js';
import { around, edgesAt, graphOf, graphOfDependencies, stepAt } from '../../../services/query/web/page/service_graph.js';

const finding = (changes) => ({
  kind: 'latency_regression', service: 'cart', operation: 'GET /cart', spanKind: 'server', token: '', symptom: '', isOpen: true, score: 1,
  startTime: '2026-11-30T02:00:00Z', endTime: '2026-11-30T02:10:00Z', baseline: 12e6, observed: 40e6, ...changes,
});

test('each kind of a finding is a sentence with its figures', () => {
  const texts = {
    latency_regression: [{}, 'p95 12 ms → 40 ms'],
    error_rate: [{ baseline: 0.02, observed: 0.31 }, '31 % of the calls fail, 2 % before'],
    call_rate: [{ baseline: 300, observed: 0, symptom: 'fewer' }, 'fewer calls: 0 in five minutes, 300 before'],
    n_plus_one: [{ token: 'redis HGET', baseline: 1, observed: 40 }, '40 calls one after the other: redis HGET'],
    critical_path: [{ token: 'db UPDATE', observed: 0.83 }, '83 % of its time is db UPDATE'],
    relation: [{ token: 'pod=a', symptom: 'slow', baseline: 0.01, observed: 0.97 }, 'pod=a: in 97 % of the slow traces, 1 % of the others'],
  };
  assert.deepEqual(Object.keys(texts).sort(), Object.keys(KINDS).sort());
  for (const [kind, [changes, text]] of Object.entries(texts)) assert.equal(sentenceOf(finding({ kind, ...changes })), text);
  assert.equal(sentenceOf(finding({ kind: 'later', token: 'x', baseline: 1, observed: 2 })), 'x: 1 → 2');
});

test('open findings come first, then the newest, then the most certain', () => {
  const closed = finding({ isOpen: false, score: 9 }), old = finding({ endTime: '2026-11-30T02:05:00Z', score: 5 }), sure = finding({ score: 3 }), unsure = finding({ score: 2 });
  assert.deepEqual(ordered([closed, old, unsure, sure]), [sure, unsure, old, closed]);
  assert.deepEqual([...byService([sure, finding({ service: 'x' })]).keys()], ['cart', 'x']);
  const at = (time) => Date.parse(`2026-11-30T${time}Z`);
  assert.equal(findingsIn([sure], at('02:10:00'), at('02:15:00')).length, 0);
  assert.equal(findingsIn([sure], at('02:05:00'), at('02:15:00')).length, 1);
});

test('a finding marks the edges that it can only be of', () => {
  const edge = (from, to) => ({ from, to });
  const edges = [edge('front', 'cart'), edge('cart', 'redis'), edge('cart', 'price'), edge('price', 'db')];
  const marked = (one) => edges.filter((each) => findingsOfEdge(each, edges, [one]).length > 0).map((each) => `${each.from}>${each.to}`);
  assert.deepEqual(marked(finding({})), ['front>cart']);
  assert.deepEqual(marked(finding({ kind: 'n_plus_one', token: 'Redis HGET item:?' })), ['cart>redis']);
  assert.deepEqual(marked(finding({ kind: 'n_plus_one', token: 'SELECT ?' })), [], 'of two callees either may be meant');
  assert.deepEqual(marked(finding({ service: 'price', spanKind: 'client', operation: 'SELECT' })), ['price>db']);
  assert.deepEqual(marked(finding({ kind: 'critical_path' })), []);
});

const GRAPH = {
  startTime: '2026-11-30T02:00:00Z', stepSeconds: 300, kept: 'store', leftOut: 1,
  windows: [{ startTime: '2026-11-30T02:00:00Z', state: 'missing', part: 0 }, { startTime: '2026-11-30T02:05:00Z', state: 'final', part: 1 }],
  nodes: [{ name: 'a', kind: 'service' }, { name: 'b', kind: 'service' }, { name: 'db', kind: 'database' }],
  edges: [
    { parent: 'a', child: 'b', link: 'call', calls: 4, errors: 1, durationP95Ms: 7, callsByStep: [0, 4], errorsByStep: [0, 1], durationP95MsByStep: [null, 7] },
    { parent: 'a', child: 'b', link: 'messaging', calls: 6, errors: 0, durationP95Ms: 9, callsByStep: [0, 6], errorsByStep: [0, 0], durationP95MsByStep: [null, 9] },
    { parent: 'b', child: 'db', link: 'db', calls: 20, errors: 0, durationP95Ms: null, callsByStep: [0, 20], errorsByStep: [0, 0], durationP95MsByStep: [null, null] },
  ],
};

test('a graph has one edge between two services, and the figures of each step', () => {
  const graph = graphOf(GRAPH);
  assert.deepEqual(graph.edges.map(({ from, to, links, calls, errors, p95Ms }) => [from, to, links, calls, errors, p95Ms]), [
    ['b', 'db', ['db'], 20, 0, null], ['a', 'b', ['call', 'messaging'], 10, 1, 9],
  ]);
  assert.deepEqual(graph.windows.map(({ state, calls, errors }) => [state, calls, errors]), [['missing', 0, 0], ['final', 30, 1]]);
  assert.deepEqual(edgesAt(graph, 0).map((edge) => edge.calls), [0, 0]);
  assert.deepEqual(edgesAt(graph, 1).map((edge) => edge.p95Ms), [null, 9]);
  assert.equal(edgesAt(graph, -1), graph.edges);
  assert.equal(stepAt(graph, Date.parse('2026-11-30T02:09:59Z')), 1);
  assert.equal(stepAt(graph, Date.parse('2026-11-30T02:10:00Z')), -1);
  assert.deepEqual(around(graph.edges, 'db').map((edge) => edge.from), ['b']);
});

test('dependencies are a graph without steps', () => {
  const graph = graphOfDependencies({ data: [{ parent: 'a', child: 'b', callCount: 1 }, { parent: 'b', child: 'c', callCount: 5, errorCount: 2 }] });
  assert.deepEqual(graph.edges.map(({ from, calls, errors }) => [from, calls, errors]), [['b', 5, 2], ['a', 1, 0]]);
  assert.deepEqual(graph.windows, []);
});

test('the pipeline is a row for each service, with what is wrong', () => {
  const rows = pipelineRows({ services: [
    { name: 'gone', answered: false, error: 'connection refused' },
    { name: 'all', answered: true, services: [
      { part: 'ingress', ready: true, received: { spans: 5, log_records: 2 }, next: { endpoint: 'bridge:4327', reachable: true } },
      { part: 'bridge', ready: true, mode: 'consume', destination: { name: 'jaeger', reachable: false, last_error_reason: 'unavailable', circuit: 'open' },
        partitions: [{ lag_messages: 3, lag_seconds: 61 }, { lag_messages: null, lag_seconds: 2 }], items: [{ delivered: 9, dead_lettered: 1, rejected: 0 }], stalls: [{ seconds: 5 }] },
    ] },
    { name: 'idle', answered: true, services: [{ ready: true, destination: { type: 'zipkin', reachable: null, circuit: 'closed' } }] },
  ] });
  assert.deepEqual(rows.map((row) => [row.name, row.role, row.to, row.isOk]), [
    ['gone', '', '', false], ['all / ingress', 'ingress', 'bridge:4327', true], ['all / bridge', 'consumer', 'jaeger', false], ['idle', 'exporter', 'zipkin', true],
  ]);
  assert.deepEqual(rows[0].troubles, ['connection refused']);
  assert.deepEqual(rows[2].troubles, ['1 stall for 5 s', 'destination: circuit open', 'falls behind', '1 dead letter']);
  assert.deepEqual([rows[2].lagSeconds, rows[2].lagMessages, rows[2].items, rows[2].dead], [61, 3, 9, 1]);
  assert.equal(rows[1].items, 7);
  assert.equal(rows[1].lagSeconds, null);
});

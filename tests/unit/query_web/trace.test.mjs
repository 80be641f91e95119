// Trees, rows, critical path and comparison of traces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareTraces } from '../../../services/query/web/page/trace_compare.js';
import { HEIGHT_MAX, firstCause, groupPath, indentOf, nextError, parentRow, reveal, rowOfSpan, scrollToRow, visibleRows, windowOf } from '../../../services/query/web/page/trace_rows.js';
import { criticalPath, decodeSkeleton, idOf, selfTimes, spanOf, timeByGroup } from '../../../services/query/web/page/trace_tree.js';

// Spans [name, parent, start, duration, status?], by start, as the server's answer.
function traceOf(spans, service = () => 0) {
  const names = [...new Set(spans.map(([name]) => name))];
  let before = 0;
  const start = spans.map(([, , at]) => [at - before, (before = at)][0]);
  return decodeSkeleton({
    traceId: 'a'.repeat(32), startTimeUnixNano: '1700000000000000000', spanCount: spans.length, services: ['shop', 'db'], names,
    columns: {
      spanId: spans.map((_, i) => (i + 1).toString(16).padStart(16, '0')).join(''), parent: spans.map(([, parent]) => parent), start,
      duration: spans.map(([, , , duration]) => duration), service: spans.map((_, i) => service(i)), name: spans.map(([name]) => names.indexOf(name)),
      kind: spans.map(() => 2), status: spans.map(([, , , , status]) => status || 0),
    },
  });
}
const open = { collapsed: new Set(), opened: new Set(), repeats: true };
const shown = (trace, state = open) => {
  const rows = visibleRows(trace, state);
  return Array.from(rows.row, (item, i) => `${rows.depth[i]}:${item >= 0 ? trace.names[trace.name[item]] : `${trace.names[trace.name[rows.groups[-1 - item].members[0]]]} x ${rows.groups[-1 - item].members.length}`}`);
};

test('spans are a tree in the order of their starts', () => {
  const trace = traceOf([['root', -1, 0, 100], ['a', 0, 10, 30], ['leaf', 1, 15, 5], ['b', 0, 50, 40, 2]]);
  assert.deepEqual(shown(trace), ['0:root', '1:a', '2:leaf', '1:b']);
  assert.deepEqual([trace.length, trace.errors, trace.depthMax, Array.from(trace.below)], [100, 1, 2, [3, 1, 0, 0]]);
  assert.equal(idOf(trace, 2), '0000000000000003');
  assert.equal(spanOf(trace, '0000000000000003'), 2);
  assert.equal(spanOf(trace, 'ffffffffffffffff'), -1);
  assert.equal(spanOf(trace, ''), -1);
});

test('orphans and circles are shown, each span once', () => {
  const trace = traceOf([['root', -1, 0, 10], ['orphan', -2, 1, 2], ['x', 3, 2, 2], ['y', 2, 3, 2], ['self', 4, 4, 1]]);
  assert.deepEqual(shown(trace).sort(), ['0:orphan', '0:root', '0:self', '0:x', '1:y']);
  assert.equal(selfTimes(trace).length, 5);
  assert.ok(criticalPath(trace).length > 0);
});

test('what is collapsed hides its descendants', () => {
  const trace = traceOf([['root', -1, 0, 100], ['a', 0, 10, 30], ['leaf', 1, 15, 5], ['b', 0, 50, 40]]);
  assert.deepEqual(shown(trace, { ...open, collapsed: new Set([1]) }), ['0:root', '1:a', '1:b']);
  assert.equal(rowOfSpan(visibleRows(trace, { ...open, collapsed: new Set([1]) }), 2), -1);
});

const repeated = () => traceOf([['root', -1, 0, 1000], ['first', 0, 1, 2], ...Array.from({ length: 340 }, (_, i) => ['select', 0, 5 + 2 * i, 1, i === 7 ? 2 : 0]), ['last', 0, 900, 5]]);

test('repeated calls are one row, which opens', () => {
  const trace = repeated();
  assert.deepEqual(shown(trace), ['0:root', '1:first', '1:select x 340', '1:last']);
  const rows = visibleRows(trace, open);
  const [group] = rows.groups;
  assert.deepEqual([group.from, group.to, group.total, group.errors], [5, 684, 340, 1]);
  assert.equal(shown(trace, { ...open, opened: new Set([group.key]) }).length, 4 + 340);
  assert.equal(shown(trace, { ...open, repeats: false }).length, 3 + 340);
  assert.equal(rowOfSpan(rows, 100), 2);
  const revealed = reveal(trace, open, 100);
  const all = visibleRows(trace, revealed);
  assert.equal(all.row[rowOfSpan(all, 100)], 100);
  assert.deepEqual([nextError(trace, rows, 0, 1), nextError(trace, rows, 2, 1), nextError(trace, rows, 3, -1)], [2, -1, 2]);
  assert.deepEqual([parentRow(rows, 2), parentRow(rows, 0)], [0, -1]);
});

test('the cause of a failure is the failed span without a failed child', () => {
  assert.equal(firstCause(traceOf([['root', -1, 0, 100, 2], ['a', 0, 10, 30], ['b', 0, 50, 40, 2], ['deep', 2, 55, 5, 2], ['c', 0, 95, 2, 2]])), 3);
  assert.equal(firstCause(traceOf([['root', -1, 0, 100], ['a', 0, 10, 30]])), -1);
});

test('a few equal calls stay rows of their own', () => {
  assert.equal(shown(traceOf([['root', -1, 0, 10], ...[1, 2, 3, 4].map((at) => ['get', 0, at, 1])])).length, 5);
});

test('own time is the duration without children, overlapping ones once', () => {
  const trace = traceOf([['root', -1, 0, 100], ['a', 0, 10, 30], ['b', 0, 30, 30], ['late', 0, 90, 50]]);
  assert.deepEqual(Array.from(selfTimes(trace)), [40, 30, 30, 50]);
});

test('the critical path covers the duration of the root once', () => {
  const trace = traceOf([['root', -1, 0, 100], ['fast', 0, 10, 20], ['slow', 0, 12, 60], ['inner', 2, 20, 40], ['end', 0, 80, 15]]);
  const path = criticalPath(trace).map(({ span, from, to }) => [trace.names[trace.name[span]], from, to]);
  assert.deepEqual(path, [
    ['root', 95, 100], ['end', 80, 95], ['root', 72, 80], ['slow', 60, 72], ['inner', 20, 60], ['slow', 12, 20], ['root', 0, 12],
  ]);
  assert.equal(path.reduce((sum, [, from, to]) => sum + to - from, 0), 100);
});

test('a child that outlives its parent counts up to the end of the parent', () => {
  const trace = traceOf([['root', -1, 0, 50], ['async', 0, 20, 500]]);
  assert.deepEqual(criticalPath(trace, 0).map(({ span, from, to }) => [span, from, to]), [[1, 20, 50], [0, 0, 20]]);
});

test('times by group name the largest part of the critical path first', () => {
  const trace = traceOf([['root', -1, 0, 100], ['query', 0, 10, 80]], (i) => i);
  const groups = timeByGroup(trace, selfTimes(trace), criticalPath(trace), (span) => trace.service[span]);
  assert.deepEqual(groups.map(({ span, spans, own, critical }) => [span, spans, own, critical]), [[1, 1, 80, 80], [0, 1, 20, 20]]);
});

test('two traces are compared by their paths of calls', () => {
  const a = traceOf([['root', -1, 0, 100], ['get', 0, 10, 10], ['get', 0, 30, 10]]);
  const b = traceOf([['root', -1, 0, 300], ['get', 0, 10, 200, 2], ['put', 0, 220, 5]]);
  const rows = compareTraces(a, b).map((row) => [row.depth, row.name, row.a.spans, row.b.spans, row.difference]);
  assert.deepEqual(rows, [[0, 'root', 1, 1, 200], [1, 'get', 2, 1, 180], [1, 'put', 0, 1, 5]]);
});

test('only rows in sight are drawn, to the very last one of a very long list', () => {
  assert.deepEqual(windowOf(10, 24, 0, 600), { from: 0, to: 10, height: 240, top: 0 });
  const middle = windowOf(1000, 24, 4800, 240, 2);
  assert.deepEqual(middle, { from: 198, to: 212, height: 24000, top: 198 * 24 });
  const total = 1_000_000;
  const end = windowOf(total, 24, HEIGHT_MAX - 600, 600);
  assert.equal(end.height, HEIGHT_MAX);
  assert.equal(end.to, total);
  assert.ok(end.top + (total - end.from) * 24 <= HEIGHT_MAX + 1e-3);
  const place = scrollToRow(500_000, total, 24, 0, 600);
  const seen = windowOf(total, 24, place, 600, 0);
  assert.ok(seen.from <= 500_000 && seen.to >= 500_000);
  assert.equal(scrollToRow(3, 10, 24, 0, 600), 0);
});

// What is quadratic takes minutes, and the time of ctest.
test('200,000 spans, 2,000 deep, are laid out', () => {
  const spans = [['root', -1, 0, 1e6]];
  for (let i = 1; i < 2000; ++i) spans.push([`level ${i % 7}`, i - 1, i, 1e6 - 2 * i]);
  for (let i = 2000; i < 200_000; ++i) spans.push([`call ${i % 11}`, i % 2000, 2000 + i, 5]);
  const trace = traceOf(spans);
  const rows = visibleRows(trace, { ...open, repeats: false });
  const path = criticalPath(trace);
  selfTimes(trace);
  assert.equal(rows.row.length, 200_000);
  assert.equal(trace.depthMax, 2000);
  assert.ok(path.length > 2000);
  assert.ok(indentOf(2000) < 300);
});

test('the critical path of repeated calls is drawn as few parts', () => {
  const trace = repeated();
  const [group] = visibleRows(trace, open).groups;
  const pathOf = new Map();
  for (const part of criticalPath(trace)) pathOf.set(part.span, [...(pathOf.get(part.span) || []), part]);
  assert.equal(groupPath(group, pathOf, 0).length, 340);
  assert.deepEqual(groupPath(group, pathOf, 10), [{ from: 5, to: 684 }]);
});

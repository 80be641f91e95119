// The page's pure parts, without a browser: node --test tests/unit/query_web
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../../services/query/web/page/format.js';
import { entriesOf, volumeOf } from '../../../services/query/web/page/log_entries.js';
import { attributesOf } from '../../../services/query/web/page/otlp.js';
import { tagOf, toLogQl, toTraceQl, traceIdIn, wordAt, wordOf } from '../../../services/query/web/page/query_text.js';
import { formatRoute, movedTimes, parseRoute, rangeMillis, timesOf } from '../../../services/query/web/page/route.js';
import { columnsOf, labelValues, sortedRows, stepOf } from '../../../services/query/web/page/series.js';

test('a route holds the whole state, whatever it contains', () => {
  for (const route of [
    { view: 'services', args: [], params: {} },
    { view: 'trace', args: ['4bf92f3577b34da6a3ce929d0e0e4736'], params: { span: '00f067aa0ba902b7', range: '6h' } },
    { view: 'service', args: ['a/b?c#d %41&e'], params: { q: '{ .k = "ä&=#?/+" }' } },
    { view: 'compare', args: ['1', '2'], params: {} },
  ]) assert.deepEqual(parseRoute(formatRoute(route)), route);
});

test('equal states have equal links, and empty members are left out', () => {
  assert.equal(formatRoute({ view: 'logs', params: { to: 2, from: 1, q: '', side: null } }), '#/logs?from=1&to=2');
  assert.equal(formatRoute({ view: 'logs', params: { from: 1, to: 2 } }), '#/logs?from=1&to=2');
});

test('an empty or broken address is the first view', () => {
  assert.equal(parseRoute('').view, 'services');
  assert.deepEqual(parseRoute('#/service/%E0%A4%A'), { view: 'service', args: ['%E0%A4%A'], params: {} });
});

test('times are fixed or end now', () => {
  assert.deepEqual(timesOf({ from: '5', to: '9' }, 100), { from: 5, to: 9, isFixed: true });
  assert.deepEqual(timesOf({ range: '15m' }, 1e6), { from: 1e6 - 900e3, to: 1e6, isFixed: false });
  for (const bad of [{ from: '9', to: '5' }, { from: 'x', to: '5' }, { range: '0m' }, { range: 'later' }, {}])
    assert.deepEqual(timesOf(bad, 4e6), { from: 4e5, to: 4e6, isFixed: false });
  assert.ok(Number.isNaN(rangeMillis('1w')));
});

test('a range is moved by half of its length, and scaled about its middle', () => {
  const fixed = { from: '1000', to: '3000' };
  assert.deepEqual(movedTimes(fixed, 0, 'earlier'), { from: 0, to: 2000 });
  assert.deepEqual(movedTimes(fixed, 0, 'later'), { from: 2000, to: 4000 });
  assert.deepEqual(movedTimes(fixed, 0, 'wider'), { from: 0, to: 4000 });
  assert.deepEqual(movedTimes(fixed, 0, 'narrower'), { from: 1500, to: 2500 });
});

test('words become TraceQL', () => {
  const pairs = {
    '': '{ }',
    'service=shop': '{ resource.service.name = "shop" }',
    'service=shop error duration>100ms': '{ resource.service.name = "shop" && status = error && duration > 100ms }',
    'http.route=/cart/{id}': '{ .http.route = "/cart/{id}" }',
    'user.name="a b"': '{ .user.name = "a b" }',
    'resource.host.name!=x': '{ resource.host.name != "x" }',
    'code=500': '{ code = "500" }'.replace('code = "500"', '(.code = 500 || .code = "500")'),
    'code!=500': '{ (.code != 500 && .code != "500") }',
    'code>=500': '{ .code >= 500 }',
    'flag=true': '{ (.flag = true || .flag = "true") }',
    'name~GET.*': '{ name =~ "GET.*" }',
    'kind:server': '{ kind = server }',
    'service=42': '{ resource.service.name = "42" }',
    'k="say \\"hi\\""': '{ .k = "say \\"hi\\"" }',
    'cart': '{ (name =~ "(?i).*cart.*" || resource.service.name =~ "(?i).*cart.*") }',
    '{ .a = 1 } >> { .b = 2 }': '{ .a = 1 } >> { .b = 2 }',
  };
  for (const [words, query] of Object.entries(pairs)) assert.equal(toTraceQl(words), query, words);
});

test('a wrong word is named', () => {
  assert.throws(() => toTraceQl('duration>100'), /duration: a number with its unit/);
  assert.throws(() => toTraceQl('status=bad'), /status: one of error, ok, unset/);
  assert.throws(() => toTraceQl('route>x'), /a number is compared/);
  assert.throws(() => toTraceQl('a="b'), /quotation mark/);
});

test('what is pasted may be an id', () => {
  assert.equal(traceIdIn(' 4BF92F3577B34DA6A3CE929D0E0E4736\n'), '4bf92f3577b34da6a3ce929d0e0e4736');
  for (const none of ['cart', '4bf92f35', '0'.repeat(32)]) assert.equal(traceIdIn(none), '');
});

test('the word that is typed is completed in its place', () => {
  assert.deepEqual(wordAt('service=sh error', 10), { from: 0, to: 10, key: 'service', op: '=', value: 'sh' });
  assert.deepEqual(wordAt('error http.ro', 13), { from: 6, to: 13, key: 'http.ro', op: '', value: '' });
  assert.equal(wordOf('a.b', 'c d'), 'a.b="c d"');
  assert.equal(tagOf('service'), 'resource.service.name');
  assert.equal(tagOf('http.route'), '.http.route');
});

test('words become LogQL', () => {
  assert.equal(toLogQl(''), '{service_name=~".+"}');
  assert.equal(toLogQl('{a="b"} |= "c"'), '{a="b"} |= "c"');
  assert.equal(toLogQl('10.0 (a)'), '{service_name=~".+"} |~ "(?i)10\\\\.0 \\\\(a\\\\)"');
});

test('figures have three digits and a unit', () => {
  const pairs = [[0, '0 µs'], [999, '999 µs'], [1234, '1.23 ms'], [1e6, '1 s'], [59.94e6, '59.9 s'], [125e6, '2 m 5 s'], [7200e6, '2 h'], [-1500, '-1.5 ms']];
  for (const [micros, text] of pairs) assert.equal(format.duration(micros), text);
  assert.deepEqual([12, 9999, 12345, 1.5e6, 0.1234].map(format.count), ['12', '9999', '12.3k', '1.5M', '0.123']);
  assert.deepEqual([0, 0.0001, 0.031, 1].map(format.percent), ['0 %', '<0.1 %', '3.1 %', '100 %']);
  assert.equal(format.bytes(81179200), '81.2 MB');
});

test('log entries of several streams are in one order', () => {
  const data = { data: { resultType: 'streams', result: [
    { stream: { service_name: 'a' }, values: [['1700000000000000003', 'third'], ['1700000000000000001', 'first']] },
    { stream: { service_name: 'b', detected_level: 'error' }, values: [['1700000000000000002', 'second']] },
  ] } };
  assert.deepEqual(entriesOf(data).map((one) => one.line), ['first', 'second', 'third']);
  assert.deepEqual(entriesOf(data, false).map((one) => one.line), ['third', 'second', 'first']);
  assert.equal(entriesOf(data)[1].labels.service_name, 'b');
  assert.deepEqual(entriesOf({ data: { resultType: 'matrix', result: [] } }), []);
});

test('counts of lines are stacked by level', () => {
  const data = { data: { result: [
    { metric: { detected_level: 'error' }, values: [[100, '2']] },
    { metric: { detected_level: 'info' }, values: [[100, '3'], [110, '1']] },
  ] } };
  const { seconds, series } = volumeOf(data, { from: 100e3, to: 110e3 }, 10);
  assert.deepEqual(seconds, [100, 110]);
  assert.deepEqual(series.map(({ label, values }) => [label, values]), [['info', [5, 1]], ['error', [2, 0]]]);
});

test('series share their times, the largest last value first', () => {
  const data = { data: { result: [
    { metric: { __name__: 'up', job: 'a' }, values: [[0, '1'], [10, '2']] },
    { metric: {}, values: [[10, '7'], [20, 'NaN']] },
  ] } };
  const { seconds, all } = columnsOf(data, { from: 0, to: 20e3 }, 10);
  assert.deepEqual(seconds, [0, 10, 20]);
  assert.deepEqual(all.map(({ label, values, last }) => [label, values, last]), [
    ['value', [null, 7, null], 7], ['up{job="a"}', [1, 2, null], 2],
  ]);
  assert.equal(stepOf({ from: 0, to: 3600e3 }), 15);
});

test('values of a vector have the names of their labels', () => {
  const data = { data: { resultType: 'vector', result: [{ metric: { job: 'a' }, value: [0, '1'] }, { metric: { job: 'b', x: 'c' }, value: [0, '2'] }, { metric: {}, value: [0, 'NaN'] }] } };
  assert.deepEqual(labelValues(data), [{ name: 'b c', value: 2 }, { name: 'a', value: 1 }]);
  assert.deepEqual(labelValues({ data: { resultType: 'scalar', result: [] } }), []);
});

test('rows of services are sorted by a figure or a name', () => {
  const rows = [{ name: 'a', calls: 1, errors: 1 }, { name: 'b', calls: 10, errors: 2 }];
  assert.deepEqual(sortedRows(rows, 'calls').map((row) => row.name), ['b', 'a']);
  assert.deepEqual(sortedRows(rows, 'errors').map((row) => row.name), ['a', 'b']);
  assert.deepEqual(sortedRows(rows, 'unknown').map((row) => row.name), ['b', 'a']);
});

test('values of OTLP are texts', () => {
  const nested = { kvlistValue: { values: [{ key: 'n', value: { intValue: '7' } }, { key: 'l', value: { arrayValue: { values: [{ boolValue: true }] } } }] } };
  assert.deepEqual(attributesOf([{ key: 'b', value: nested }, { key: 'a', value: { intValue: '9007199254740993' } }]), [['a', '9007199254740993'], ['b', '{"n":7,"l":[true]}']]);
  assert.deepEqual(attributesOf(undefined), []);
});

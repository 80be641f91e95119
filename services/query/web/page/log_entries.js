// Answers of Loki's API as entries, and as counts by level. Pure.

const LEVELS = { critical: 'error', fatal: 'error', error: 'error', warn: 'warn', warning: 'warn', info: 'info', debug: 'debug', trace: 'debug' };

// Streams of an answer as entries by time, in the direction of the answer.
export function entriesOf(data, isForward = true) {
  if (data?.data?.resultType !== 'streams') return [];
  const entries = [];
  for (const { stream, values } of data.data.result)
    for (const [nanos, line, metadata] of values) {
      const labels = { ...stream, ...(metadata?.structuredMetadata || metadata || {}) };
      entries.push({ nanos, line, labels, millis: Number(BigInt(nanos) / 1000n) / 1000 });
    }
  const order = isForward ? 1 : -1;
  return entries.sort((a, b) => order * (a.nanos.length - b.nanos.length || (a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0)));
}

export const levelOf = (labels) => LEVELS[(labels.detected_level || labels.level || labels.severity_text || '').toLowerCase()] || 'none';

// Levels of the chart with their colours, the gravest first.
const DRAWN = [['error', '--error'], ['warn', '--warn'], ['info', '--accent'], ['debug', '--line-strong'], ['none', '--line-strong']];

// Counts by level for the chart: one value for each step of the range.
export function volumeOf(data, times, step) {
  const from = Math.ceil(times.from / 1000), size = Math.max(1, Math.floor((times.to - times.from) / 1000 / step) + 1);
  const seconds = Array.from({ length: size }, (_, i) => from + i * step);
  const counts = new Map(DRAWN.map(([level]) => [level, new Array(size).fill(0)]));
  for (const { metric, values } of data?.data?.result || [])
    for (const [at, value] of values) {
      const i = Math.round((at - from) / step);
      if (i >= 0 && i < size) counts.get(levelOf(metric))[i] += Number(value);
    }
  // Stacked: the sum of a level and of those behind it, the highest drawn first.
  const series = [];
  let below = new Array(size).fill(0);
  for (const [level, colour] of DRAWN) {
    const own = counts.get(level);
    if (own.every((one) => one === 0)) continue;
    below = below.map((one, i) => one + own[i]);
    series.unshift({ label: level, values: below, colour, bars: true });
  }
  return { seconds, series };
}

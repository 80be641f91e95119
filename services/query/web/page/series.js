// Answers of Prometheus's and Jaeger's APIs as columns and edges. Pure.

// Points of a line.
const POINTS = 240;

export const labelText = (metric) => {
  const { __name__: name = '', ...labels } = metric;
  const inside = Object.entries(labels).map(([key, value]) => `${key}="${value}"`).join(', ');
  return inside ? `${name}{${inside}}` : name || 'value';
};

export function stepOf(times) {
  const raw = (times.to - times.from) / 1000 / POINTS;
  return [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400].find((one) => one >= raw) || Math.ceil(raw);
}

// The series of a matrix as columns that share their times, the largest last value first.
export function columnsOf(data, times, step) {
  const size = Math.floor((times.to - times.from) / 1000 / step) + 1, from = times.from / 1000;
  const seconds = Array.from({ length: size }, (_, i) => from + i * step);
  const all = (data?.data?.result || []).map(({ metric, values = [] }) => {
    const column = new Array(size).fill(null);
    for (const [at, value] of values) {
      const i = Math.round((at - from) / step);
      if (i >= 0 && i < size && Number.isFinite(Number(value))) column[i] = Number(value);
    }
    const known = column.filter((one) => one !== null);
    return { label: labelText(metric), values: column, last: known.at(-1) ?? null, min: Math.min(...known), max: Math.max(...known) };
  });
  all.sort((a, b) => (b.last ?? -Infinity) - (a.last ?? -Infinity));
  return { seconds, all: all.map((one, i) => ({ ...one, colour: (215 + i * 137.5) % 360 })) };
}

// Columns of the tables of services: name, title, key of the order.
export const COLUMNS = [
  ['name', 'Name', (row) => row.name],
  ['calls', 'Calls', (row) => -row.calls],
  ['errors', 'Errors', (row) => -row.errors / row.calls],
  ['p50', 'p50', (row) => -row.durationP50Ms],
  ['p95', 'p95', (row) => -row.durationP95Ms],
  ['max', 'max', (row) => -row.durationMaxMs],
];

export function sortedRows(rows, column) {
  const [, , key] = COLUMNS.find(([name]) => name === column) || COLUMNS[1];
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

// The values of an instant vector: {name: its label values, value}, the largest first.
export function labelValues(data) {
  if (data?.data?.resultType !== 'vector') return [];
  const named = data.data.result.map(({ metric, value }) => ({ name: Object.values(metric).join(' '), value: Number(value[1]) }));
  return named.filter((one) => Number.isFinite(one.value)).sort((a, b) => b.value - a.value);
}

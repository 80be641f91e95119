// The whole state of the page as the hash of its address, so that every view is a link. Pure.

// "#/trace/4bf9?span=1a&range=1h" -> {view: 'trace', args: ['4bf9'], params: {span: '1a', range: '1h'}}
export function parseRoute(hash) {
  const text = hash.replace(/^#\/?/, '');
  const at = text.indexOf('?');
  const path = at < 0 ? text : text.slice(0, at);
  const params = {};
  for (const [key, value] of new URLSearchParams(at < 0 ? '' : text.slice(at + 1))) params[key] = value;
  const parts = path.split('/').filter((part) => part !== '').map(decode);
  return { view: parts[0] || 'services', args: parts.slice(1), params };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// The same back; members that are empty are left out, names are in order: equal states, equal links.
export function formatRoute({ view, args = [], params = {} }) {
  const query = new URLSearchParams();
  for (const key of Object.keys(params).sort()) {
    const value = params[key];
    if (value !== undefined && value !== null && value !== '' && value !== false) query.set(key, String(value));
  }
  const path = [view, ...args].map(encodeURIComponent).join('/');
  const text = query.toString();
  return `#/${path}${text ? '?' + text : ''}`;
}

export const RANGES = ['15m', '1h', '6h', '1d', '7d'];
const UNITS = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };
export const DEFAULT_RANGE = '1h';

// "90m" in milliseconds; NaN for what is none.
export function rangeMillis(text) {
  const found = /^(\d+)([smhd])$/.exec(text || '');
  return found && Number(found[1]) > 0 ? Number(found[1]) * UNITS[found[2]] : NaN;
}

// The times of a view: `from` and `to` in ms since 1970, or `range` before now.
export function timesOf(params, now) {
  const from = Number(params.from), to = Number(params.to);
  if (params.from && params.to && Number.isFinite(from) && Number.isFinite(to) && from < to)
    return { from, to, isFixed: true };
  const length = rangeMillis(params.range);
  return { from: now - (Number.isNaN(length) ? rangeMillis(DEFAULT_RANGE) : length), to: now, isFixed: false };
}

// The members of `params` that are times, for a link to another view.
export function timesIn(params) {
  const { from, to, range } = params;
  return from && to ? { from, to } : { range };
}

// Moved by half of its length, or made twice as long (`by` = 'wider').
export function movedTimes(params, now, by) {
  const { from, to } = timesOf(params, now);
  const half = (to - from) / 2;
  const moved = {
    earlier: [from - half, to - half],
    later: [from + half, to + half],
    wider: [from - half, to + half],
    narrower: [from + half / 2, to - half / 2],
  }[by];
  return { from: Math.round(moved[0]), to: Math.round(moved[1]) };
}

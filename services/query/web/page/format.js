// Figures as people read them. Pure.

const UNITS = [
  ['h', 3600e6], ['m', 60e6], ['s', 1e6], ['ms', 1e3], ['µs', 1],
];

// Three significant digits without trailing zeros.
export function digits(number) {
  if (number === 0) return '0';
  const size = Math.abs(number);
  if (size >= 100) return String(Math.round(number));
  return String(Number(number.toPrecision(size < 0.01 ? 2 : 3)));
}

// Microseconds: "340 µs", "1.25 ms", "3.4 s", "2 m 5 s".
export function duration(micros) {
  if (micros === null || micros === undefined || Number.isNaN(micros)) return '–';
  if (micros < 0) return '-' + duration(-micros);
  if (micros >= 60e6) {
    const at = micros >= 3600e6 ? 0 : 1;
    const large = Math.floor(micros / UNITS[at][1]);
    const rest = Math.round((micros - large * UNITS[at][1]) / UNITS[at + 1][1]);
    return rest === 0 ? `${large} ${UNITS[at][0]}` : `${large} ${UNITS[at][0]} ${rest} ${UNITS[at + 1][0]}`;
  }
  const [unit, size] = micros >= 1e6 ? UNITS[2] : micros >= 1e3 ? UNITS[3] : UNITS[4];
  return `${digits(micros / size)} ${unit}`;
}

export function count(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return '–';
  for (const [size, unit] of [[1e9, 'G'], [1e6, 'M'], [1e4, 'k']]) {
    if (Math.abs(number) >= size) return digits(number / (unit === 'k' ? 1e3 : size)) + unit;
  }
  return digits(number);
}

export function bytes(number) {
  let size = number;
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    if (size < 1000) return `${digits(size)} ${unit}`;
    size /= 1000;
  }
  return `${digits(size)} TB`;
}

export function percent(part) {
  if (Number.isNaN(part)) return '–';
  if (part > 0 && part < 0.0005) return '<0.1 %';
  return `${digits(Math.round(part * 1000) / 10)} %`;
}

const two = (number) => String(number).padStart(2, '0');

// Milliseconds since 1970 in the browser's zone: "14:03:22.120", with the date unless it is today's.
export function time(ms, now = Date.now(), withMillis = true) {
  const at = new Date(ms);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const text = withMillis ? `${clock}.${String(Math.floor(at.getMilliseconds())).padStart(3, '0')}` : clock;
  if (at.toDateString() === new Date(now).toDateString()) return text;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${text}`;
}

// Seconds since 1970 as the mark of an axis: as exact as the marks are apart.
export function clock(seconds, marks) {
  const at = new Date(seconds * 1000), apart = marks.length > 1 ? marks[1] - marks[0] : 60;
  if (apart >= 86400) return `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const text = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return apart < 60 ? `${text}:${two(at.getSeconds())}` : text;
}

export function ago(ms, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export const plural = (number, one, many = one + 's') => `${count(number)} ${number === 1 ? one : many}`;

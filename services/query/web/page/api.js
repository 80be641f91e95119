// Requests to the HTTP APIs of this server, and to nothing else.

const SESSION = { token: 'spanway.token', tenant: 'spanway.tenant', header: 'spanway.tenantHeader' };

export const credentials = {
  read: () => Object.fromEntries(Object.entries(SESSION).map(([key, name]) => [key, sessionStorage.getItem(name) || ''])),
  write(values) {
    for (const [key, name] of Object.entries(SESSION)) {
      if (values[key]) sessionStorage.setItem(name, values[key]);
      else sessionStorage.removeItem(name);
    }
  },
};

function headersOf(spec) {
  const { token, tenant, header } = credentials.read();
  const headers = { accept: 'application/json', ...(spec.json ? { 'content-type': 'application/json' } : {}) };
  if (token) headers.authorization = `Bearer ${token}`;
  if (tenant) headers[header || 'x-scope-orgid'] = tenant;
  return headers;
}

// {path, query: {name: value or list}, json: body of a POST, accepted: an error status with data}: the parts of a request.
export function urlOf(spec) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(spec.query || {}))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== '') query.append(name, String(one));
  const text = query.toString();
  return `.${spec.path}${text ? '?' + text : ''}`;
}

const shellQuoted = (text) => `'${text.replace(/'/g, `'\\''`)}'`;

// The same request for a terminal. A token is named, not shown.
export function curlOf(spec) {
  const url = new URL(urlOf(spec), location.href.replace(/#.*/, '')).href;
  const parts = ['curl', '-sS', '--compressed', shellQuoted(url)];
  for (const [name, value] of Object.entries(headersOf(spec))) {
    if (name === 'accept') continue;
    const shown = name === 'authorization' ? '"authorization: Bearer $TOKEN"' : shellQuoted(`${name}: ${value}`);
    parts.push('-H', shown);
  }
  if (spec.json) parts.push('-d', shellQuoted(JSON.stringify(spec.json)));
  return parts.join(' ');
}

export class RequestError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Each API has its own shape of an error.
function detailOf(text) {
  try {
    const body = JSON.parse(text);
    const list = Array.isArray(body.errors) && body.errors[0];
    return body.detail || body.error?.message || (typeof body.error === 'string' && body.error) || list?.msg || text;
  } catch {
    return text.trim();
  }
}

// What to do about an error, for people.
export function adviceFor(status) {
  const advice = {
    0: 'spanway-query does not answer. Is it running, and is the network up? Then try again.',
    400: 'Correct the query: the message says which part of it is wrong.',
    401: 'This server wants a token. Enter it under Settings.',
    403: 'Your token has no right to this tenant. Enter another one under Settings.',
    404: 'Nothing is stored under this name. Data of the last seconds may still be on its way: try again.',
    413: 'A limit of the server is passed. Choose a shorter range, or add a condition.',
    422: 'A limit of the server is passed, or the query cannot be evaluated. Choose a shorter range, or simplify it.',
    429: 'Too many queries run at once. Wait a moment and try again.',
    500: 'The store refuses the server: its operator finds the reason in the log of spanway-query.',
    501: 'No store is configured for this signal: set logs_from or metrics_from of spanway-query.',
    503: 'The store is away or did not answer in time. Choose a shorter range, or try again.',
  };
  return advice[status] || 'Try again; if it stays, the log of spanway-query says more.';
}

// Resolves to {data, coverage, cost, millis}; rejects with a RequestError, or with an AbortError when `signal` aborts.
export async function send(spec, signal) {
  const began = performance.now();
  let response, text;
  try {
    response = await fetch(urlOf(spec), {
      method: spec.json ? 'POST' : 'GET', signal, headers: headersOf(spec), credentials: 'same-origin',
      body: spec.json ? JSON.stringify(spec.json) : undefined,
    });
    text = await response.text();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new RequestError(0, 'The request failed, or its answer was cut.');
  }
  if (!response.ok && response.status !== spec.accepted) {
    if (response.status === 401) dispatchEvent(new Event('spanway-unauthorized'));
    throw new RequestError(response.status, detailOf(text) || response.statusText);
  }
  let data;
  try {
    data = spec.isText ? text : JSON.parse(text);
  } catch {
    throw new RequestError(response.status, `The answer is no JSON: ${text.slice(0, 200)}`);
  }
  return {
    data, bytes: text.length, millis: performance.now() - began,
    coverage: response.headers.get('spanway-coverage') || '', cost: response.headers.get('spanway-cost') || '',
  };
}

const seconds = (ms) => (ms / 1000).toFixed(3);
const range = ({ from, to }) => ({ start_time: seconds(from), end_time: seconds(to) });

// The requests of the page. Times are {from, to} in milliseconds since 1970.
export const requests = {
  services: (times, step) => ({ path: '/api/v1/services/series', query: { ...range(times), step } }),
  operations: (times, service) => ({ path: '/api/v1/services/series', query: { ...range(times), service } }),
  search: (times, q, limit) => ({
    path: '/tempo/api/search',
    query: { q, limit, spss: 3, start: Math.floor(times.from / 1000), end: Math.ceil(times.to / 1000) },
  }),
  tagNames: (times) => ({
    path: '/tempo/api/v2/search/tags',
    query: { start: Math.floor(times.from / 1000), end: Math.ceil(times.to / 1000) },
  }),
  tagValues: (times, tag) => ({
    path: `/tempo/api/v2/search/tag/${encodeURIComponent(tag)}/values`,
    query: { limit: 50, start: Math.floor(times.from / 1000), end: Math.ceil(times.to / 1000) },
  }),
  skeleton: (id) => ({ path: `/api/v1/traces/${id}/skeleton` }),
  span: (id, span, times) => ({ path: `/api/v1/traces/${id}/spans/${span}`, query: times ? range(times) : {} }),
  trace: (id) => ({ path: `/api/v3/traces/${id}` }),
  dependencies: (times) => ({
    path: '/api/dependencies', query: { endTs: Math.round(times.to), lookback: Math.round(times.to - times.from) },
  }),
  graph: (times) => ({ path: '/api/v1/graph', query: range(times) }),
  findings: (times, { kind = '', service = '' } = {}) => ({ path: '/api/v1/findings', query: { ...range(times), kind, service, limit: 500 } }),
  pipeline: () => ({ path: '/api/v1/pipeline' }),
  logs: (times, query, limit, direction = 'backward') => ({
    path: '/loki/api/v1/query_range',
    query: { query, limit, direction, start: `${Math.floor(times.from)}000000`, end: `${Math.ceil(times.to)}000000` },
  }),
  logVolume: (times, query, step) => ({
    path: '/loki/api/v1/query_range',
    query: { query, step, start: seconds(times.from), end: seconds(times.to) },
  }),
  metrics: (times, query, step) => ({
    path: '/api/v1/query_range', query: { query, step, start: seconds(times.from), end: seconds(times.to) },
  }),
  metricNames: (times) => ({
    path: '/api/v1/label/__name__/values', query: { start: seconds(times.from), end: seconds(times.to) },
  }),
  instant: (query) => ({ path: '/api/v1/query', query: { query } }),
  // 503 has the reason in the same shape.
  health: () => ({ path: '/health', accepted: 503 }),
};

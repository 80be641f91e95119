// The spans of a skeleton as a tree: who is whose child, how deep, and where the time went. Pure; arrays of numbers, as
// a trace may have a million spans. Times are microseconds since the begin of the trace.

export const ID_DIGITS = 16;

// The answer of /api/v1/traces/{id}/skeleton, decoded.
export function decodeSkeleton(answer) {
  const { columns } = answer;
  const size = columns.parent.length;
  const start = new Float64Array(size), duration = Float64Array.from(columns.duration);
  for (let i = 0, at = 0; i < size; ++i) start[i] = at += columns.start[i];
  const trace = {
    id: answer.traceId, size, start, duration,
    beginNanos: BigInt(answer.startTimeUnixNano),
    beginMillis: Number(BigInt(answer.startTimeUnixNano) / 1000n) / 1000,
    services: answer.services, names: answer.names,
    parent: Int32Array.from(columns.parent),
    service: Int32Array.from(columns.service), name: Int32Array.from(columns.name),
    kind: Uint8Array.from(columns.kind), status: Uint8Array.from(columns.status),
    ids: columns.spanId,
  };
  return withTree(trace);
}

export const idOf = (trace, span) => trace.ids.slice(span * ID_DIGITS, (span + 1) * ID_DIGITS);

export function spanOf(trace, id) {
  if (!id) return -1;
  for (let at = trace.ids.indexOf(id); at >= 0; at = trace.ids.indexOf(id, at + 1))
    if (at % ID_DIGITS === 0) return at / ID_DIGITS;
  return -1;
}

export const isError = (trace, span) => trace.status[span] === 2;
export const endOf = (trace, span) => trace.start[span] + trace.duration[span];
export const childrenOf = (trace, span) => trace.children.subarray(trace.first[span], trace.first[span + 1]);

// Adds children, roots, depth, descendants, length and errors. Parents that form a circle are cut: each span is shown.
function withTree(trace) {
  const { size, parent } = trace;
  const first = new Int32Array(size + 2);
  for (let i = 0; i < size; ++i) if (parent[i] >= 0) ++first[parent[i] + 2];
  for (let i = 1; i < size + 2; ++i) first[i] += first[i - 1];
  const children = new Int32Array(first[size + 1]);
  // Afterwards first[i] is the begin of the children of span i.
  for (let i = 0; i < size; ++i) if (parent[i] >= 0) children[first[parent[i] + 1]++] = i;
  Object.assign(trace, { first, children });
  const roots = [];
  for (let i = 0; i < size; ++i) if (parent[i] < 0) roots.push(i);
  const depth = new Int32Array(size), order = new Int32Array(size), seen = new Uint8Array(size);
  let count = 0;
  const walk = (root) => {
    const stack = [root];
    while (stack.length > 0) {
      const span = stack.pop();
      if (seen[span]) continue;
      seen[span] = 1;
      order[count++] = span;
      const own = childrenOf(trace, span);
      for (let c = own.length - 1; c >= 0; --c) {
        if (seen[own[c]]) continue;
        depth[own[c]] = depth[span] + 1;
        stack.push(own[c]);
      }
    }
  };
  roots.forEach(walk);
  for (let i = 0; i < size && count < size; ++i) {
    if (seen[i]) continue;
    roots.push(i);
    depth[i] = 0;
    walk(i);
  }
  const below = new Int32Array(size);
  for (let i = size - 1; i >= 0; --i) {
    const span = order[i];
    if (depth[span] > 0) below[parent[span]] += below[span] + 1;
  }
  let length = 0, errors = 0, depthMax = 0;
  for (let i = 0; i < size; ++i) {
    length = Math.max(length, endOf(trace, i));
    errors += trace.status[i] === 2 ? 1 : 0;
    depthMax = Math.max(depthMax, depth[i]);
  }
  const root = roots.reduce((best, one) => (trace.duration[one] > trace.duration[best] ? one : best), roots[0]);
  return Object.assign(trace, { roots, root, depth, order, below, length: length || 1, errors, depthMax });
}

// Duration of each span without the time in which a child of it runs.
export function selfTimes(trace) {
  const own = Float64Array.from(trace.duration);
  for (let span = 0; span < trace.size; ++span) {
    const end = endOf(trace, span);
    let covered = trace.start[span];
    for (const child of childrenOf(trace, span)) {
      if (trace.depth[child] === 0) continue;
      const from = Math.max(covered, trace.start[child]), to = Math.min(end, endOf(trace, child));
      if (to > from) {
        own[span] -= to - from;
        covered = to;
      }
    }
  }
  return own;
}

// The path that determines the duration of a root: [{span, from, to}], from its end to its begin. At each moment it is
// in the child that ended last before; a child that outlives its parent counts up to the parent's end.
export function criticalPath(trace, root = trace.root) {
  const segments = [];
  const add = (span, from, to) => {
    if (to > from) segments.push({ span, from, to });
  };
  const endWithin = (child, limit) => Math.min(endOf(trace, child), limit);
  const open = (span, limit) => ({
    span,
    at: limit,
    limit,
    left: Array.from(childrenOf(trace, span))
      .filter((child) => trace.depth[child] > 0 && trace.start[child] < limit)
      .sort((a, b) => endWithin(a, limit) - endWithin(b, limit) || trace.start[b] - trace.start[a]),
  });
  const stack = [open(root, endOf(trace, root))];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    let child = -1;
    while (top.left.length > 0 && child < 0) {
      const one = top.left.pop();
      const fits = endWithin(one, top.limit) <= top.at && trace.start[one] >= trace.start[top.span];
      if (fits && trace.duration[one] > 0) child = one;
    }
    if (child < 0) {
      add(top.span, trace.start[top.span], top.at);
      stack.pop();
      continue;
    }
    const end = endWithin(child, top.limit);
    add(top.span, end, top.at);
    top.at = trace.start[child];
    stack.push(open(child, end));
  }
  return segments;
}

// By service and by operation: spans, errors, the time of their own and their part of the critical path; most first.
export function timeByGroup(trace, own, path, keyOf) {
  const groups = new Map();
  const critical = new Float64Array(trace.size);
  for (const { span, from, to } of path) critical[span] += to - from;
  for (let span = 0; span < trace.size; ++span) {
    const key = keyOf(span);
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { span, spans: 0, errors: 0, own: 0, critical: 0 }));
    ++group.spans;
    group.errors += isError(trace, span) ? 1 : 0;
    group.own += own[span];
    group.critical += critical[span];
  }
  return [...groups.values()].sort((a, b) => b.critical - a.critical || b.own - a.own);
}

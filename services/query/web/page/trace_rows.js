// Which rows the waterfall shows: spans in the order of the tree, without what is collapsed, and repeated calls as one
// row. Pure.
import { childrenOf, endOf, isError } from './trace_tree.js';

// Siblings of one service and name that become one row.
export const REPEATS_MIN = 5;
const ROOTS = -1;

export const groupKey = (trace, parent, span) => `${parent}/${trace.service[span]}/${trace.name[span]}`;

// `state`: {collapsed: Set of spans, opened: Set of group keys, repeats: whether they are joined}.
// Returns {row, depth, groups}: row[i] is a span, or -1 - g for groups[g] = {key, parent, members, isOpen, ...figures}.
export function visibleRows(trace, { collapsed, opened, repeats }) {
  const row = [], depth = [], groups = [];
  const stack = [];
  const push = (parent, spans, level) => {
    const items = repeats && spans.length >= REPEATS_MIN ? joined(trace, parent, spans) : spans;
    for (let i = items.length - 1; i >= 0; --i) stack.push({ item: items[i], level });
  };
  push(ROOTS, trace.roots, 0);
  while (stack.length > 0) {
    const { item, level } = stack.pop();
    depth.push(level);
    if (typeof item === 'object') {
      row.push(-1 - groups.length);
      groups.push(item);
      item.isOpen = opened.has(item.key);
      if (item.isOpen)
        for (let i = item.members.length - 1; i >= 0; --i) stack.push({ item: item.members[i], level: level + 1 });
      continue;
    }
    row.push(item);
    if (collapsed.has(item) || trace.below[item] === 0) continue;
    let own = childrenOf(trace, item);
    if (own.some((child) => trace.depth[child] === 0)) own = own.filter((child) => trace.depth[child] > 0);
    push(item, own, level + 1);
  }
  return { row: Int32Array.from(row), depth: Int32Array.from(depth), groups };
}

// Spans and groups, a group at the place of its first member.
function joined(trace, parent, spans) {
  const buckets = new Map();
  for (const span of spans) {
    const key = groupKey(trace, parent, span);
    const bucket = buckets.get(key);
    if (bucket) bucket.push(span);
    else buckets.set(key, [span]);
  }
  const items = [];
  for (const [key, members] of buckets) {
    if (members.length < REPEATS_MIN) items.push(...members);
    else items.push(groupOf(trace, key, parent, members));
  }
  const startOf = (item) => (typeof item === 'object' ? item.from : trace.start[item]);
  return items.sort((a, b) => startOf(a) - startOf(b));
}

function groupOf(trace, key, parent, members) {
  const group = { key, parent, members, from: Infinity, to: 0, total: 0, longest: 0, errors: 0, below: 0 };
  for (const span of members) {
    group.from = Math.min(group.from, trace.start[span]);
    group.to = Math.max(group.to, endOf(trace, span));
    group.total += trace.duration[span];
    group.longest = Math.max(group.longest, trace.duration[span]);
    group.errors += isError(trace, span) ? 1 : 0;
    group.below += trace.below[span];
  }
  return group;
}

// The row of a span, or of the group that hides it; -1 when a collapsed span hides it.
export function rowOfSpan(rows, span) {
  if (span < 0) return -1;
  const at = rows.row.indexOf(span);
  if (at >= 0) return at;
  const group = rows.groups.findIndex((one) => !one.isOpen && one.members.includes(span));
  return group < 0 ? -1 : rows.row.indexOf(-1 - group);
}

// The parts of the critical path that the members of a group have, joined where a gap is too small to be seen. Kept in
// the group, as it is drawn many times.
export function groupPath(group, pathOf, gapMax) {
  if (group.pathGap === gapMax && group.pathOf === pathOf) return group.pathParts;
  const parts = group.members.flatMap((span) => pathOf.get(span) || []).sort((a, b) => a.from - b.from);
  const joinedParts = [];
  for (const { from, to } of parts) {
    const last = joinedParts[joinedParts.length - 1];
    if (last && from - last.to <= gapMax) last.to = Math.max(last.to, to);
    else joinedParts.push({ from, to });
  }
  Object.assign(group, { pathGap: gapMax, pathOf, pathParts: joinedParts });
  return joinedParts;
}

// Changes `state` so that the span has a row of its own.
export function reveal(trace, state, span) {
  const collapsed = new Set(state.collapsed), opened = new Set(state.opened);
  for (let at = span, steps = 0; at >= 0 && steps <= trace.size; at = trace.parent[at], ++steps) {
    if (at !== span) collapsed.delete(at);
    const parent = trace.depth[at] === 0 ? ROOTS : trace.parent[at];
    opened.add(groupKey(trace, parent, at));
    if (parent === ROOTS) break;
  }
  return { ...state, collapsed, opened };
}

// The next row after `at` (before it with direction -1) that has an error; -1 without one.
export function nextError(trace, rows, at, direction) {
  for (let i = at + direction; i >= 0 && i < rows.row.length; i += direction) {
    const item = rows.row[i];
    if (item >= 0 ? isError(trace, item) : rows.groups[-1 - item].errors > 0) return i;
  }
  return -1;
}

// The first failed span without a failed child: where a failure began; -1 without one.
export function firstCause(trace) {
  return trace.order.find((span) => isError(trace, span) && !childrenOf(trace, span).some((child) => isError(trace, child))) ?? -1;
}

// The row of the parent; -1 for a root.
export function parentRow(rows, at) {
  for (let i = at - 1; i >= 0; --i) if (rows.depth[i] < rows.depth[at]) return i;
  return -1;
}

// Which rows are in sight. Browsers bound the height of an element, so that a very long list scrolls faster than it is.
export const HEIGHT_MAX = 8e6;
export function windowOf(total, rowHeight, scrollTop, viewHeight, overscan = 6) {
  const full = total * rowHeight;
  const height = Math.min(full, HEIGHT_MAX);
  const room = Math.max(height - viewHeight, 0);
  const offset = height < full && room > 0 ? (Math.min(scrollTop, room) / room) * (full - viewHeight) : scrollTop;
  const from = Math.max(0, Math.floor(offset / rowHeight) - overscan);
  const to = Math.min(total, Math.ceil((offset + viewHeight) / rowHeight) + overscan);
  // The top of row `from` in the element that scrolls.
  return { from, to, height, top: scrollTop + from * rowHeight - offset };
}

// The scrollTop that brings a row into sight, or the present one when it is.
export function scrollToRow(at, total, rowHeight, scrollTop, viewHeight) {
  const full = total * rowHeight, height = Math.min(full, HEIGHT_MAX);
  const factor = height < full ? (full - viewHeight) / (height - viewHeight) : 1;
  const offset = scrollTop * factor;
  if (at * rowHeight < offset) return (at * rowHeight) / factor;
  if ((at + 1) * rowHeight > offset + viewHeight) return ((at + 1) * rowHeight - viewHeight) / factor;
  return scrollTop;
}

// Pixels by which a row is indented: the first levels plainly, deep ones ever less.
export function indentOf(depth, step = 12, plain = 12) {
  return depth <= plain ? depth * step : plain * step + Math.log2(1 + depth - plain) * step;
}

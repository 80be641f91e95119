// Two traces beside each other, by the path of calls that leads to a span. Pure.
import { childrenOf, isError } from './trace_tree.js';

const figures = () => ({ spans: 0, total: 0, errors: 0 });

// The paths of one trace, added to the tree of nodes below `node`.
function add(trace, side, node) {
  const stack = trace.roots.map((span) => ({ span, node })).reverse();
  while (stack.length > 0) {
    const { span, node: above } = stack.pop();
    const service = trace.services[trace.service[span]], name = trace.names[trace.name[span]];
    const key = `${service}\0${name}`;
    let own = above.children.get(key);
    if (!own) above.children.set(key, (own = { service, name, a: figures(), b: figures(), children: new Map() }));
    const side_ = own[side];
    ++side_.spans;
    side_.total += trace.duration[span];
    side_.errors += isError(trace, span) ? 1 : 0;
    const children = childrenOf(trace, span);
    for (let c = children.length - 1; c >= 0; --c)
      if (trace.depth[children[c]] > 0) stack.push({ span: children[c], node: own });
  }
}

// Rows {depth, service, name, a, b, difference}, in the order of the tree; `difference` in microseconds, b - a.
export function compareTraces(a, b) {
  const top = { children: new Map() };
  add(a, 'a', top);
  add(b, 'b', top);
  const rows = [];
  const stack = [...top.children.values()].reverse().map((node) => ({ node, depth: 0 }));
  while (stack.length > 0) {
    const { node, depth } = stack.pop();
    const { children, ...row } = node;
    rows.push({ ...row, depth, difference: row.b.total - row.a.total });
    for (const child of [...children.values()].reverse()) stack.push({ node: child, depth: depth + 1 });
  }
  return rows;
}

// The service map out of /api/v1/graph, or of /api/dependencies where no window was computed. Pure.

const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);

// Edges of all steps. One service may call another in several ways: those are joined.
export function graphOf(data) {
  const joined = new Map();
  for (const edge of data.edges) {
    const key = JSON.stringify([edge.parent, edge.child]);
    const known = joined.get(key);
    if (!known) {
      joined.set(key, { from: edge.parent, to: edge.child, links: [edge.link], calls: edge.calls, errors: edge.errors, p95Ms: edge.durationP95Ms,
        callsByStep: edge.callsByStep, errorsByStep: edge.errorsByStep, p95MsByStep: edge.durationP95MsByStep });
      continue;
    }
    // Percentiles cannot be added: the way with more calls stands for both.
    const isMore = edge.calls > known.calls;
    joined.set(key, { ...known, links: [...known.links, edge.link], calls: known.calls + edge.calls, errors: known.errors + edge.errors,
      callsByStep: known.callsByStep.map((calls, i) => calls + edge.callsByStep[i]), errorsByStep: known.errorsByStep.map((errors, i) => errors + edge.errorsByStep[i]),
      p95Ms: isMore ? edge.durationP95Ms : known.p95Ms, p95MsByStep: isMore ? edge.durationP95MsByStep : known.p95MsByStep });
  }
  const edges = [...joined.values()].sort((a, b) => b.calls - a.calls);
  const windows = data.windows.map((window, i) => ({
    from: Date.parse(window.startTime), to: Date.parse(window.startTime) + data.stepSeconds * 1000, state: window.state, part: window.part,
    calls: sum(edges.map((edge) => edge.callsByStep[i])), errors: sum(edges.map((edge) => edge.errorsByStep[i])),
  }));
  return { edges, windows, kinds: new Map(data.nodes.map((node) => [node.name, node.kind])), kept: data.kept, leftOut: data.leftOut };
}

// The same out of Jaeger's dependencies: no steps, no durations.
export function graphOfDependencies(data) {
  const edges = data.data
    .map((one) => ({ from: one.parent, to: one.child, links: ['call'], calls: one.callCount, errors: one.errorCount || 0, p95Ms: null }))
    .sort((a, b) => b.calls - a.calls);
  return { edges, windows: [], kinds: new Map(), kept: '', leftOut: 0 };
}

// The figures of one step; `at` < 0 = of all.
export const edgesAt = (graph, at) =>
  at < 0 ? graph.edges : graph.edges.map((edge) => ({ ...edge, calls: edge.callsByStep[at], errors: edge.errorsByStep[at], p95Ms: edge.p95MsByStep[at] }));

// The step that holds a time; -1 = all of them.
export const stepAt = (graph, millis) => graph.windows.findIndex((window) => millis >= window.from && millis < window.to);

export const around = (edges, service) => (service ? edges.filter((edge) => edge.from === service || edge.to === service) : edges);

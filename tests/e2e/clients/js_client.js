// Sends one trace with the official JS SDK over OTLP/HTTP JSON and prints its id.
const { trace, context, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');

const exporter = new OTLPTraceExporter({ url: process.env.ENDPOINT + '/v1/traces' });
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'js-shop', 'host.cores': 8 }),
  spanProcessors: [new SimpleSpanProcessor(exporter)],
});
const tracer = provider.getTracer('js-scope', '1.2.3');
const parent = tracer.startSpan('GET /cart', {
  kind: SpanKind.SERVER,
  attributes: { 'http.route': '/cart', 'http.response.status_code': 200, ratio: 0.25, cached: false, 'list': ['a', 'b'] },
});
const child = tracer.startSpan(
  'SELECT cart',
  { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'postgresql', 'snowman': '☃ und Straße' }, links: [{ context: parent.spanContext(), attributes: { why: 'link' } }] },
  trace.setSpan(context.active(), parent));
child.addEvent('retry', { attempt: 2 });
child.recordException(new Error('deadlock'));
child.setStatus({ code: SpanStatusCode.ERROR, message: 'deadlock detected' });
child.end();
parent.end();
provider.shutdown().then(() => console.log(parent.spanContext().traceId), (error) => { console.error(error); process.exit(1); });

"""The first steps of a new user: helm install, one sample, spans in and out."""
from cluster import condition
from harness.load import Load, compare
from harness.processes import ROOT, wait_until


def test_two_replicas_and_one_holds_the_lease(cluster, operator):
    deployment = cluster.get("deployment", "spanway-operator", "spanway-system")
    assert deployment["status"]["readyReplicas"] == 2
    pods = {p["metadata"]["name"] for p in cluster.list("pods", "spanway-system", "app.kubernetes.io/component=operator")}

    def held():  # A Lease of an installation before this one may have to run out first.
        holder = cluster.get("lease", "spanway-operator", "spanway-system")["spec"].get("holderIdentity", "")
        return any(holder.startswith(pod) for pod in pods)

    wait_until(held, 30, "one of the pods to hold the Lease", 0.3)


def resource_words(resource):
    name, _, subresource = resource.partition("/")
    return [name, f"--subresource={subresource}"] if subresource else [name]


def test_the_operator_may_do_no_more_than_it_must(cluster, operator):
    def may(verb, resource, namespace="default"):
        done = cluster.kubectl("-n", namespace, "auth", "can-i", verb, *resource_words(resource), f"--as={operator}", check=False)
        return done.stdout.strip() == "yes"

    assert may("get", "secrets") and may("patch", "deployments.apps") and may("patch", "pipelines.spanway.dev/status")
    assert may("patch", "ingresses.networking.k8s.io")
    for verb, resource in [
        ("list", "secrets"), ("watch", "secrets"), ("create", "secrets"), ("delete", "pods"), ("create", "pods"),
        ("create", "pods/exec"), ("create", "roles.rbac.authorization.k8s.io"), ("delete", "pipelines.spanway.dev"),
        ("patch", "pipelines.spanway.dev"), ("get", "nodes"), ("create", "namespaces"), ("delete", "persistentvolumeclaims"),
        ("get", "ingressclasses.networking.k8s.io"),
    ]:
        assert not may(verb, resource), f"the operator may {verb} {resource}"


def test_a_pipeline_becomes_objects(cluster, start_pipeline):
    # measure_pipelines.py says how long it takes; here only that nothing waits for a resync.
    pipeline = start_pipeline()
    expected = {"p-ingress", "p-bridge", "p-sink", "p-sink-consumer"}
    wait_until(lambda: expected <= set(pipeline.workloads()), 15, "the workloads", 0.05)


def test_spans_in_spans_out(cluster, start_pipeline, sink, tmp_path):
    pipeline = start_pipeline().wait_ready()
    with Load(tmp_path, pipeline.endpoint(), 500, 5).start() as load:
        assert load.wait(60) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 60, "all acknowledged spans at the sink", 0.5)
    row = cluster.kubectl("-n", pipeline.namespace, "get", "pipelines").stdout
    assert "1/1" in row and "True" in row, row


def test_an_sdk_as_a_client(cluster, start_pipeline, sink):
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    pipeline = start_pipeline().wait_ready()
    before = sink.report()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=pipeline.endpoint(), insecure=True)))
    for number in range(20):
        with provider.get_tracer("test").start_as_current_span(f"span {number}"):
            pass
    provider.shutdown()
    # The sink counts what it does not know as foreign.
    wait_until(lambda: sink.report() != before, 60, "spans of the SDK at the sink", 0.5)


def test_pods_of_a_component_spread_over_the_nodes(cluster, start_pipeline, sink, tmp_path):
    cluster.need_nodes(2)
    pipeline = start_pipeline(
        {"ingress": {"replicas": 2}, "bridge": {"produce": {"replicas": 2}}}, exporter={"replicas": 2, "consumer": {"replicas": 2}}
    ).wait_ready()
    for workload in pipeline.workloads():
        nodes = {pod["spec"]["nodeName"] for pod in pipeline.pods() if pod["metadata"]["name"].startswith(f"{workload}-")}
        assert len(nodes) > 1, f"all pods of {workload} are on {nodes}"
    # Between nodes as well: each hop has a pod on either.
    with Load(tmp_path, pipeline.endpoint(), 500, 5, "--connections", "4").start() as load:
        assert load.wait(60) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 60, "all acknowledged spans at the sink", 0.5)


def test_helm_test_passes_against_a_pipeline(cluster, start_pipeline):
    pipeline = start_pipeline().wait_ready()
    ingress = f"test.ingress={pipeline.name}-ingress.{pipeline.namespace}.svc:4317"
    chart = ROOT / "helm/spanway"
    cluster.tool("helm", "upgrade", "spanway", chart, "-n", "spanway-system", "--reuse-values", "--set", ingress, "--wait", "--timeout", "120s")
    cluster.tool("helm", "test", "spanway", "-n", "spanway-system", "--timeout", "90s")


def test_the_quickstart_is_accepted_and_valid(cluster, operator, namespace):
    sample = ROOT / "k8s/samples/quickstart.yaml"
    cluster.kubectl("-n", namespace, "apply", "-f", sample)

    def is_valid():
        found = cluster.list("pipelines", namespace)[0]
        return condition(found, "ConfigValid")["status"] == "True"

    wait_until(is_valid, 30, "ConfigValid=True", 0.3)


def test_pods_are_restricted_and_hold_no_token(start_pipeline):
    # The namespace enforces the restricted level: that they run at all is half of the proof.
    pipeline = start_pipeline().wait_ready()
    for pod in pipeline.pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert not any("serviceAccountToken" in str(volume) for volume in spec["volumes"]), pod["metadata"]["name"]
        assert spec["enableServiceLinks"] is False

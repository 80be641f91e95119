"""Ready follows what the pods report now; a spec or Secret in trouble stops nothing that runs."""
from cluster import condition
from confluent_kafka.admin import AdminClient, ConfigResource
from harness.load import Load, compare
from harness.processes import wait_until

BROKER_TOOL = "org.apache.kafka.tools.TopicCommand"


def topics_of(pipeline):
    return list(pipeline.manifest["spec"]["kafka"]["topics"]["names"].values())


def test_topics_that_are_deleted_are_seen_and_made_again(kafka, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    job = pipeline.cluster.list("jobs", pipeline.namespace)[0]["metadata"]["uid"]
    for topic in topics_of(pipeline):
        kafka.tool(BROKER_TOOL, "--bootstrap-server", kafka.brokers, "--delete", "--topic", topic)
    found = pipeline.wait_condition("Ready", "False", 120)
    assert found["reason"] == "TopicMissing", found
    assert condition(pipeline.get(), "TopicsReady")["status"] == "False"
    # The Job runs again, and what it makes is seen.
    pipeline.wait_condition("Ready", "True", 240)
    jobs = pipeline.cluster.list("jobs", pipeline.namespace)
    assert [one["metadata"]["uid"] for one in jobs] != [job]
    assert pipeline.events("TopicMissing")


def test_a_longer_retention_is_in_force_and_a_shorter_one_deletes_nothing(kafka, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    topic = topics_of(pipeline)[0]

    def retention():
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        admin = AdminClient({"bootstrap.servers": kafka.brokers})
        return admin.describe_configs([resource])[resource].result(20)["retention.ms"].value

    for configured in ("48h", "2h"):
        pipeline.change({"kafka": {"topics": {"retention": configured}}})
        wait_until(lambda: retention() == str(48 * 3600 * 1000), 60, "the retention in force", 0.5)
        pipeline.wait_good()
        pipeline.wait_condition("TopicsReady", "True", 60)


def test_an_ended_topics_job_is_never_reported_as_blocked(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    assert not pipeline.events("JobBlocked")


def test_a_refused_spec_leaves_what_runs_under_care(cluster, start_pipeline, sink, tmp_path):
    pipeline = start_pipeline()
    pipeline.wait_good()
    templates = pipeline.templates()
    pipeline.change({"ingress": {"config": {"no_such_key": 1}}})
    pipeline.wait_condition("ConfigValid", "False", 30)
    pipeline.wait_condition("Stalled", "True", 30, "ConfigInvalid")
    cluster.kubectl("-n", pipeline.namespace, "delete", "deployment", "p-bridge", "p-ingress")
    wait_until(lambda: pipeline.templates() == templates, 60, "the last good workloads again", 0.5)
    pipeline.wait_condition("Ready", "True", 120)
    with Load(tmp_path, pipeline.endpoint(), 50, 5, "--finish-within", "60s").start() as load:
        load.wait(90)
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 60, "all acknowledged spans", 0.5)


def test_a_missing_secret_holds_its_component_only(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    ingress = pipeline.templates()["p-ingress"]
    pipeline.change({"ingress": {"tls": {"secretName": "no-such-secret"}}, "bridge": {"produce": {"replicas": 2}}})
    found = pipeline.wait_condition("ConfigValid", "False", 30)
    assert "no-such-secret" in found["message"], found
    pipeline.wait_replicas("p-bridge", 2)
    assert pipeline.templates()["p-ingress"] == ingress
    assert condition(pipeline.get(), "Ready")["status"] == "True"


def test_an_exporter_that_loses_its_destination_is_rolled_back(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    templates = pipeline.templates()
    typo = f"{pipeline.cluster.host}:9"
    pipeline.change_exporter({"destination": {"endpoint": typo}})
    found = pipeline.wait_condition("RolledBack", "True", 180)
    assert typo in found["message"], found
    wait_until(lambda: pipeline.templates() == templates, 60, "the old templates and no canary", 0.5)
    pipeline.wait_condition("Stalled", "True", 60)


def test_a_token_that_becomes_unusable_is_degraded_until_it_is_good(cluster, namespace, start_pipeline):
    def store(value):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens", "namespace": namespace}, "stringData": {"a": value}}
        cluster.apply(secret)

    store("hidden-value")
    reference = {"name": "a", "secretKeyRef": {"name": "tokens", "key": "a"}}
    pipeline = start_pipeline({"ingress": {"auth": {"mode": "Bearer", "tokens": [reference]}}})
    pipeline.wait_good()
    store("")
    found = pipeline.wait_condition("Degraded", "True", 180, "CredentialsNotLoaded")
    assert "p-ingress: pod " in found["message"] and "auth.tokens[0]" in found["message"], found
    assert "hidden-value" not in found["message"], found
    pipeline.wait_condition("Ready", "True", 10)
    store("hidden-value")
    pipeline.wait_condition("Degraded", "False", 180)

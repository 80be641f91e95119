// Pipelines of people who must not become the cluster's master, and of those who want the operator
// down: each is refused with the field and a reason, and nothing of it gets into a message raw.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

using kube::Json;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::vector<std::string> problems_of_json(const Json& object) {
  config::Problems problems;
  read(object, problems);
  return texts(problems);
}

Json good() { return documents(pipeline_yaml()).at(0); }

// A good Pipeline with one value put in at a path of RFC 6901.
Json with(const std::string& path, const Json& value) {
  Json object = good();
  object[Json::json_pointer(path)] = value;
  return object;
}

constexpr char kTls[] = "/spec/ingress/tls";
constexpr char kTemplate[] = "/spec/ingress/template";
constexpr char kDestination[] = "/spec/exporters/0/destination";

Json destination(const char* type, const std::string& endpoint) {
  return {{"type", type}, {"endpoint", endpoint}};
}

TEST(Malicious, SecretsOfOtherNamespacesCannotBeNamed) {
  for (const char* name : {"kube-system/admin", "../admin", "a/../b", "/admin", "Admin", "admin ",
                           "", "a\nb", "*", "ns:admin"}) {
    EXPECT_THAT(problems_of_json(with(kTls, {{"secretName", name}})),
                ElementsAre(StartsWith("spec.ingress.tls.secretName: ")))
        << name;
  }
  for (const char* key : {"namespace", "secretNamespace", "apiGroup", "kind"}) {
    EXPECT_THAT(problems_of_json(with(kTls, {{"secretName", "s"}, {key, "kube-system"}})),
                ElementsAre(AllOf(StartsWith(std::string("spec.ingress.tls.") + key),
                                  HasSubstr("is no field"))));
  }
}

// Keys of Secrets become files.
TEST(Malicious, KeysOfSecretsStayInTheirFolder) {
  for (const char* key :
       {"..", ".", "../x", "..data", "a/b", "/etc/passwd", "", "a b", "a\nb", "$(X)", "${env:X}"}) {
    const Json reference = {{"name", "s"}, {"key", key}};
    const Json object =
        with(kDestination, {{"type", "OtlpGrpc"},
                            {"endpoint", "tempo:4317"},
                            {"headers", {{{"name", "a"}, {"secretKeyRef", reference}}}}});
    EXPECT_THAT(
        problems_of_json(object),
        ElementsAre(StartsWith("spec.exporters[debug].destination.headers[a].secretKeyRef.key: ")))
        << key;
  }
}

TEST(Malicious, ThePodsSecurityCannotBeSet) {
  const Json privileged = {{"privileged", true}};
  const std::vector<std::pair<const char*, Json>> fields = {
      {"hostNetwork", true},
      {"hostPID", true},
      {"hostIPC", true},
      {"hostUsers", true},
      {"securityContext", privileged},
      {"podSecurityContext", {{"runAsUser", 0}}},
      {"containers", {{{"name", "x"}, {"image", "x"}}}},
      {"initContainers", Json::array()},
      {"extraContainers", Json::array()},
      {"ephemeralContainers", Json::array()},
      {"volumes", {{{"name", "h"}, {"hostPath", {{"path", "/"}}}}}},
      {"volumeMounts", Json::array()},
      {"envFrom", {{{"secretRef", {{"name", "theirs"}}}}}},
      {"automountServiceAccountToken", true},
      {"shareProcessNamespace", true},
      {"runtimeClassName", "none"},
      {"nodeName", "master"},
      {"hostAliases", Json::array()},
      {"dnsConfig", Json::object()},
      {"lifecycle", Json::object()},
      {"command", Json::array({"sh"})},
      {"spec", {{"hostNetwork", true}}}};
  for (const auto& [field, value] : fields) {
    EXPECT_THAT(problems_of_json(with(kTemplate, {{field, value}})),
                ElementsAre(AllOf(StartsWith(std::string("spec.ingress.template.") + field),
                                  HasSubstr("is no field"))))
        << field;
  }
}

TEST(Malicious, VariablesTakeNothingFromElsewhere) {
  const Json reference = {{"name", "A"},
                          {"valueFrom", {{"secretKeyRef", {{"name", "s"}, {"key", "k"}}}}}};
  EXPECT_THAT(problems_of_json(with(kTemplate, {{"env", {reference}}})),
              ElementsAre(HasSubstr("env[A].valueFrom: is no field")));
  for (const char* name : {"LD_PRELOAD", "LD_LIBRARY_PATH", "SPANWAY_NEXT__ENDPOINT"})
    EXPECT_THAT(problems_of_json(with(kTemplate, {{"env", {{{"name", name}, {"value", "x"}}}}})),
                ElementsAre(HasSubstr("must not begin with SPANWAY_")))
        << name;
  for (const char* name : {"", "A B", "A=B", "1A", "A\n", "\xd0\x90"})
    EXPECT_THAT(problems_of_json(with(kTemplate, {{"env", {{{"name", name}, {"value", "x"}}}}})),
                SizeIs(1))
        << name;
  const std::string cut("a\0b", 3);
  EXPECT_THAT(
      problems_of_json(with(kTemplate, {{"env", {{{"name", "A"}, {"value", cut}}}}})),
      ElementsAre(StartsWith("spec.ingress.template.env[A].value: 'a\\u0000b' must match")));
}

TEST(Malicious, EndpointsAreAddressesAndNothingElse) {
  for (const char* type : {"OtlpGrpc", "OtlpHttp", "Zipkin"}) {
    for (const char* endpoint : {"file:///etc/passwd",
                                 "gopher://a:1/x",
                                 "unix:/run/x.sock",
                                 "unix:run/x.sock:80",
                                 "dns://1.1.1.1/a:1",
                                 "ipv4:169.254.169.254:80",
                                 "xds:///a",
                                 "http://user:pw@a:1/",
                                 "http://a:1\r\nX-Injected: 1",
                                 "a:1\n",
                                 "http://a b:1/",
                                 "http://:80",
                                 "http://[::1:80",
                                 "http://[g::]:80",
                                 "//a:80",
                                 "http:///a",
                                 "",
                                 "http://a:0",
                                 "a:65536",
                                 "http://a:99999999999999999999",
                                 "http://\xd0\xb0.example.com:1/",
                                 "http://%61:1/x",
                                 "http://$(POD_IP):1"}) {
      EXPECT_THAT(problems_of_json(with(kDestination, destination(type, endpoint))),
                  ElementsAre(StartsWith("spec.exporters[debug].destination.endpoint: ")))
          << type << " " << endpoint;
    }
  }
}

TEST(Malicious, FilesStayInTheirFolder) {
  for (const char* path :
       {"/etc/passwd", "etc/passwd", "/var/lib/spanway", "/var/lib/spanway/", "/var/lib/spanway/..",
        "/var/lib/spanway/../x", "/var/lib/spanway/a/../../../x", "/var/lib/spanwayx/a",
        "//var/lib/spanway/a", "/var/lib/spanway/a\n", "/proc/self/environ"}) {
    EXPECT_THAT(problems_of_json(with(kDestination, destination("File", path))),
                ElementsAre(StartsWith("spec.exporters[debug].destination.endpoint: ")))
        << path;
  }
  for (const char* path : {"/var/lib/spanway/a..b", "/var/lib/spanway/..a/{signal}.jsonl"})
    EXPECT_THAT(problems_of_json(with(kDestination, destination("File", path))), IsEmpty()) << path;
}

TEST(Malicious, HeadersCannotEndALine) {
  for (const char* value : {"a\r\nX-Injected: 1", "a\nb", "a\rb", "a\x01", "\x7f", "\xc3\xbc"}) {
    Json object = with(kDestination, destination("OtlpGrpc", "tempo:4317"));
    object["spec"]["exporters"][0]["destination"]["headers"] = {{{"name", "a"}, {"value", value}}};
    EXPECT_THAT(problems_of_json(object),
                ElementsAre(StartsWith("spec.exporters[debug].destination.headers[a].value: ")))
        << value;
  }
  for (const char* name : {"a b", "a:", "a\r\nb", "", "\xd0\xb0", ":authority"}) {
    Json object = with(kDestination, destination("OtlpGrpc", "tempo:4317"));
    object["spec"]["exporters"][0]["destination"]["headers"] = {{{"name", name}, {"value", "x"}}};
    EXPECT_THAT(problems_of_json(object), SizeIs(1)) << name;
  }
}

TEST(Malicious, InternalTopicsOfKafkaAreRefused) {
  for (const char* name :
       {"__consumer_offsets", "__transaction_state", ".", "..", "a/b", "a b", "a\n", ""}) {
    EXPECT_THAT(problems_of_json(with("/spec/kafka/topics", {{"names", {{"traces", name}}}})),
                ElementsAre(StartsWith("spec.kafka.topics.names.traces: ")))
        << name;
  }
}

TEST(Malicious, ConfusableLettersAmongAsciiLettersAreEscaped) {
  // A word of another script is readable.
  EXPECT_THAT(problems_of_json(with("/spec/данные", 1)),
              ElementsAre(StartsWith("spec.данные: is no field")));
  // Cyrillic e.
  EXPECT_THAT(
      problems_of_json(with("/spec/exporters/0/name", "t\xd0\xb5mpo")),
      ElementsAre(StartsWith("spec.exporters[t\\u0435mpo].name: 't\\u0435mpo' must match")));
  EXPECT_THAT(problems_of_json(with("/metadata/name", "\xd1\x80")),
              ElementsAre(StartsWith("metadata.name: must be lower-case letters")));
  // Full-width digits, a zero-width space, and a line turned around.
  for (const char* name : {"\xef\xbc\x91", "a\xe2\x80\x8b",
                           "\xe2\x80\xae"
                           "a",
                           "a\xc2\xad"})
    EXPECT_THAT(problems_of_json(with("/spec/exporters/0/name", name)),
                ElementsAre(HasSubstr("must match")))
        << name;
  // The same key twice for the eye.
  EXPECT_THAT(problems_of_json(with("/spec/ingr\xd0\xb5ss", Json::object())),
              ElementsAre(HasSubstr("spec.ingr\\u0435ss: is no field")));
}

TEST(Malicious, NothingRawGetsIntoAMessage) {
  const std::string evil = "\x1b[31m\r\nlevel=error \xe2\x80\xae\x07" + std::string(1, '\0');
  Json object = good();
  object["spec"][evil] = 1;
  object["spec"]["ingress"][evil] = evil;
  object["spec"]["ingress"]["tenant"] = {{"from", evil}, {"header", evil}};
  object["spec"]["ingress"]["template"] = {{"labels", {{evil, evil}, {"a", evil}}}};
  object["spec"]["exporters"].push_back({{"name", evil}, {"destination", {{"type", evil}}}});
  object["metadata"]["name"] = evil;
  const std::vector<std::string> problems = problems_of_json(object);
  EXPECT_GE(problems.size(), 8u);
  for (const std::string& problem : problems) {
    EXPECT_TRUE(std::all_of(problem.begin(), problem.end(), [](char c) {
      return c >= 0x20 && c < 0x7f;
    })) << problem;
  }
}

TEST(Malicious, MessagesStayShort) {
  const std::string huge(1'500'000, 'A');
  for (const char* path : {"/metadata/name", "/spec/exporters/0/name", "/spec/ingress/tenant",
                           "/spec/kafka/bootstrapServers", "/spec/ingress/service/type"}) {
    for (const std::string& text : {huge, huge.substr(0, 300'000), huge.substr(0, 900)}) {
      const std::vector<std::string> problems = problems_of_json(with(path, text));
      EXPECT_FALSE(problems.empty()) << path;
      for (const std::string& problem : problems) EXPECT_LT(problem.size(), 1000u) << path;
    }
  }
  EXPECT_THAT(problems_of_json(with("/spec/" + huge.substr(0, 200'000), 1)),
              ElementsAre(HasSubstr("AAA...: is no field")));
}

TEST(Malicious, LargeObjectsAreRefused) {
  Json object = good();
  Json& exporters = object["spec"]["exporters"];
  exporters = Json::array();
  for (int i = 0; i < 16; ++i) {
    const Json config = {{"x", std::string(60'000, 'x')}};
    exporters.push_back({{"name", "e" + std::to_string(i)},
                         {"destination", {{"type", "Debug"}}},
                         {"config", config},
                         {"consumer", {{"config", config}}}});
  }
  ASSERT_GT(kube::to_text(object).size(), 1'500'000u);
  EXPECT_THAT(problems_of_json(object), ElementsAre("spec: must be at most 512 KiB of JSON"));
}

TEST(Malicious, HugeAndOddNumbersAreRefused) {
  for (const Json& number :
       {Json(1e308), Json(-1e308), Json(1.5), Json(18446744073709551615u), Json(1001), Json(-1),
        Json("1"), Json(true), Json::array(), Json(std::numeric_limits<double>::quiet_NaN()),
        Json(std::numeric_limits<double>::infinity())})
    EXPECT_THAT(problems_of_json(with("/spec/ingress/replicas", number)),
                ElementsAre(StartsWith("spec.ingress.replicas: must be ")))
        << number;
  for (const char* duration :
       {"999999999h", "-5s", "0s", "1e9s", "9223372036854775807s", "5", "5d", " 5s", "5s\n"})
    EXPECT_THAT(problems_of_json(with("/spec/rollout/progressDeadline", duration)),
                ElementsAre(StartsWith("spec.rollout.progressDeadline: must be ")))
        << duration;
  for (const char* quantity : {"99999999999999999999", "1e30", "-1", "0x10", "1Ei", "1Mi\n", ""})
    EXPECT_THAT(problems_of_json(with("/spec/ingress/limits", {{"bytesPerSecond", quantity}})),
                ElementsAre(StartsWith("spec.ingress.limits.bytesPerSecond: must be ")))
        << quantity;
}

TEST(Malicious, WrongShapesAreRefusedEverywhere) {
  // Every object and list of a Pipeline with everything, replaced by something else.
  const Json complete = documents(file_text("k8s/samples/production.yaml")).at(0);
  ASSERT_THAT(problems_of_json(complete), IsEmpty());
  const Json values = complete["spec"].flatten();
  for (const auto& [pointer, value] : values.items()) {
    for (const Json& other : {Json(Json::object({{"a", 1}})), Json(Json::array({Json::array()})),
                              Json(7.5), Json("\x01")}) {
      Json changed = complete;
      changed["spec"][Json::json_pointer(pointer)] = other;
      // Kubernetes' own types are kept as they are, and the API server validates them.
      const bool is_raw = pointer.find("/resources/") != std::string::npos ||
                          pointer.find("/config/") != std::string::npos ||
                          pointer.find("/affinity/") != std::string::npos ||
                          pointer.find("/topologySpreadConstraints/") != std::string::npos ||
                          pointer.find("/tolerations/") != std::string::npos ||
                          pointer.find("/extra") != std::string::npos;
      const bool is_free_text = pointer.find("/annotations/") != std::string::npos;
      if (is_raw || is_free_text) continue;
      EXPECT_THAT(problems_of_json(changed), Not(IsEmpty())) << pointer << " = " << other;
    }
  }
}

TEST(Malicious, MetadataOfAnyShapeIsRead) {
  for (const Json& metadata :
       {Json(nullptr), Json(5), Json("x"), Json::array(), Json{{"name", 5}},
        Json{{"name", Json::array()}, {"annotations", 5}, {"uid", {}}, {"generation", "x"}},
        Json{{"name", "p"}, {"annotations", {{"a", 5}, {"b", Json::object()}}}}}) {
    Json object = good();
    object["metadata"] = metadata;
    problems_of_json(object);
    SUCCEED() << metadata;
  }
}

std::string error_of(const std::string& yaml) {
  const auto parsed = parse_yaml(yaml, "evil.yaml");
  return parsed.ok() ? "" : parsed.error().message;
}

TEST(MaliciousYaml, ThatGrowsWhenItIsReadIsRefused) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 8; ++j) laughs += ", " + before;
    laughs += "]\n";
  }
  EXPECT_THAT(error_of(laughs), HasSubstr("anchors"));
  EXPECT_THAT(error_of("a: &a [*a]\n"), HasSubstr("anchors"));
  EXPECT_THAT(error_of("a: &a {b: *a}\n"), HasSubstr("anchors"));
  EXPECT_THAT(error_of("a: &x {b: 1}\nc: {<<: *x}\n"), HasSubstr("anchors"));
  EXPECT_THAT(error_of("a: *nowhere\n"), Not(IsEmpty()));
}

TEST(MaliciousYaml, ThatIsTooDeepTooLongOrTooMuchIsRefused) {
  EXPECT_THAT(error_of("a: " + std::string(200, '[') + std::string(200, ']')), HasSubstr("deep"));
  EXPECT_THAT(error_of(std::string(100'000, '[')), Not(IsEmpty()));
  std::string nested;
  for (int i = 0; i < 600; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(error_of(nested), HasSubstr("deep"));
  std::string wide = "a:\n";
  while (wide.size() < 900'000) wide += "- 1\n";
  EXPECT_THAT(error_of(wide), HasSubstr("values"));
  EXPECT_THAT(error_of("a: " + std::string(1u << 20, 'x')), HasSubstr("larger than 1 MiB"));
  std::string documents;
  for (int i = 0; i < 101; ++i) documents += "---\na: 1\n";
  EXPECT_THAT(error_of(documents), HasSubstr("documents"));
}

TEST(MaliciousYaml, ThatMeansTwoThingsIsRefused) {
  EXPECT_THAT(error_of("a: 1\na: 2\n"), HasSubstr("duplicate"));
  EXPECT_THAT(error_of("a: !!python/object/apply:os.system [id]\n"), HasSubstr("tags"));
  EXPECT_THAT(error_of("a: !!int \"5\"\n"), HasSubstr("tags"));
  EXPECT_THAT(error_of("a: 0x10\n"), HasSubstr("number"));
  EXPECT_THAT(error_of("%YAML 9.9\n---\na: 1\n"), Not(HasSubstr("\n")));
}

TEST(MaliciousYaml, ThatIsNoTextIsRefused) {
  EXPECT_NE(error_of("a: \xff\xfe\n"), "");
  EXPECT_NE(error_of(std::string("a: x\0y\n", 7)), "");
  EXPECT_NE(error_of("a: \"\\ud800\"\n"), "");
  EXPECT_NE(error_of("a: [\n"), "");
}

}  // namespace
}  // namespace spanway::api

#include "tests/insight/planted_relations.h"

#include <utility>

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;
constexpr std::int64_t kMilli = 1'000'000;

struct Key {
  std::string name;
  std::int64_t values;
};

class RelationPlanter {
 public:
  explicit RelationPlanter(std::uint64_t seed) : random_(seed) {
    for (int number = 0; number < 20; ++number)
      keys_.push_back({"app.key-" + std::to_string(number), random_.integer(2, 40)});
    keys_.push_back({"user.id", 200});
  }

  PlantedRelation plant() {
    const auto traces = static_cast<std::size_t>(random_.integer(600, 2000));
    for (std::size_t n = 0; n < traces; ++n) attributes_.push_back(attributes());
    choose_cause();
    planted_.symptom = random_.chance(0.5) ? "slow" : "failed";
    const double bad = random_.between(0.01, 0.04), bad_by_cause = random_.between(0.25, 0.9);
    for (const TextAttributes& own : attributes_) {
      const bool has_cause = !planted_.cause.empty() && has(own, planted_.cause);
      add_trace(own, random_.chance(has_cause ? bad_by_cause : bad));
    }
    const OperationKey operation{"shop", "POST /order", SpanKind::kServer};
    planted_.slow_ns = {{operation, 200 * kMilli}};
    return std::move(planted_);
  }

 private:
  TextAttributes attributes() {
    TextAttributes own;
    for (const Key& key : keys_)
      own.emplace_back(key.name, "v" + std::to_string(random_.integer(1, key.values)));
    // One follows the other.
    const auto region = random_.integer(1, 3), zone = random_.integer(1, 3);
    const auto node = random_.integer(1, 4);
    const std::string place = "r" + std::to_string(region) + "-z" + std::to_string(zone);
    own.emplace_back("cloud.region", "r" + std::to_string(region));
    own.emplace_back("cloud.availability_zone", place);
    own.emplace_back("k8s.node.name", place + "-n" + std::to_string(node));
    const auto version =
        random_.chance(0.1) ? "1.9.0" : "1.8." + std::to_string(random_.integer(0, 2));
    own.emplace_back("service.version", version);
    own.emplace_back("container.image.tag", version);
    own.emplace_back("request.id", std::to_string(random_.integer(0, 1'000'000'000'000)));
    return own;
  }

  static bool has(const TextAttributes& own, const std::string& token) {
    for (const auto& [key, value] : own)
      if (key + "=" + value == token) return true;
    return false;
  }

  // A token that 3 to 25 % of the traces have; none in a quarter of the cases.
  void choose_cause() {
    if (random_.chance(0.25)) return;
    std::map<std::string, std::size_t> traces;
    for (const TextAttributes& own : attributes_)
      for (const auto& [key, value] : own) ++traces[key + "=" + value];
    std::vector<std::string> possible;
    const auto all = static_cast<double>(attributes_.size());
    for (const auto& [token, count] : traces) {
      const double part = static_cast<double>(count) / all;
      if (part >= 0.03 && part <= 0.25) possible.push_back(token);
    }
    planted_.cause = random_.pick(possible);
  }

  void add_trace(const TextAttributes& own, bool is_bad) {
    TraceBuilder trace(random_);
    std::int64_t duration = random_.integer(20, 150) * kMilli;
    const bool is_slow = is_bad && planted_.symptom == "slow";
    if (is_slow) duration = random_.integer(300, 900) * kMilli;
    const std::size_t root =
        trace.add(TraceBuilder::kNoParent, {"shop", "POST /order", SpanKind::kServer}, 0, duration);
    const std::size_t below =
        trace.add(root, {"payment", "charge", SpanKind::kServer}, kMilli, duration - kMilli);
    trace[root].has_failed = is_bad && !is_slow;
    // States the failure once more: no cause.
    if (trace[root].has_failed) trace.set(root, "error.type", "timeout");
    trace.set(root, "http.response.status_code", trace[root].has_failed ? "500" : "200");
    for (const auto& one : own) {
      const double where = random_.unit();
      if (one.first.starts_with("app.")) {
        trace[where < 0.5 ? root : below].attributes.push_back(one);
      } else {
        trace[below].resource.push_back(one);
      }
    }
    planted_.traces.push_back(std::move(trace).shuffled());
  }

  PlantedRandom random_;
  PlantedRelation planted_;
  std::vector<Key> keys_;
  std::vector<TextAttributes> attributes_;  // By trace.
};

}  // namespace

PlantedRelation plant_relation(std::uint64_t seed) { return RelationPlanter(seed).plant(); }

}  // namespace spanway::query::insight

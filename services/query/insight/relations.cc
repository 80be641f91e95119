#include "services/query/insight/relations.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "services/query/insight/significance.h"
#include "services/query/insight/trace_tree.h"

namespace spanway::query::insight {
namespace {

// Views into the traces.
struct Token {
  std::string_view key;
  std::string_view value;
  auto operator<=>(const Token&) const = default;
  std::string text() const { return std::string(key) + "=" + std::string(value); }
};
struct TokenHash {
  std::size_t operator()(const Token& token) const noexcept {
    const std::hash<std::string_view> hash;
    return hash(token.key) * 0x9e3779b97f4a7c15ULL + hash(token.value);
  }
};

// A bijection that spreads the bits (splitmix64): sums of it distinguish sets of traces.
std::uint64_t spread_bits(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

struct RootedTrace {
  const SampledTrace* trace;
  const SampledSpan* root;
};

struct TokenCounts {
  std::uint64_t bad = 0;
  std::uint64_t good = 0;
  std::uint64_t traces_hash = 0;
};

struct Candidate {
  Token token;
  TokenTable table;
  double chi_squared = 0;
  double log_odds = 0;
  double p_value = 1;
  std::vector<std::string> also = {};
};

enum class Symptom : unsigned char { kSlow, kFailed };

class TokenCounter {
 public:
  explicit TokenCounter(const RelationThresholds& thresholds) : thresholds_(thresholds) {}

  // Bad traces first: only their tokens are candidates.
  void add(const SampledTrace& trace, std::uint64_t number, bool is_bad) {
    std::unordered_set<Token, TokenHash> own;
    for (const SampledSpan& span : trace.spans) {
      for (const auto& [key, value] : span.attributes) own.insert({key, value});
      for (const auto& [key, value] : span.resource) own.insert({key, value});
    }
    for (const Token& token : own) {
      auto found = counts_.find(token);
      if (found == counts_.end()) {
        if (!is_bad || counts_.size() >= thresholds_.tokens_max || !is_possible_cause(token))
          continue;
        found = counts_.emplace(token, TokenCounts{}).first;
      }
      ++(is_bad ? found->second.bad : found->second.good);
      found->second.traces_hash += spread_bits(number);
    }
  }

  // Tokens of enough traces, whether bad or good: those that are tested.
  std::size_t tests() const {
    return static_cast<std::size_t>(
        std::count_if(counts_.begin(), counts_.end(), [&](const auto& one) {
          return one.second.bad + one.second.good >= thresholds_.traces_min;
        }));
  }

  // Those that enough bad traces have, each set of traces once.
  std::vector<Candidate> candidates(double bad, double good) const {
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, std::vector<Token>> sets;
    for (const auto& [token, counts] : counts_)
      if (counts.bad >= thresholds_.traces_min)
        sets[{counts.traces_hash, counts.bad, counts.good}].push_back(token);
    std::vector<Candidate> result;
    for (auto& [set, tokens] : sets) {
      std::sort(tokens.begin(), tokens.end());
      const auto bad_with = static_cast<double>(std::get<1>(set));
      const auto good_with = static_cast<double>(std::get<2>(set));
      Candidate one;
      one.token = tokens.front();
      one.table = {bad_with, bad - bad_with, good_with, good - good_with};
      one.chi_squared = chi_squared(one.table);
      one.log_odds = log_odds(one.table);
      one.p_value = std::max(chi_squared_p_value(one.chi_squared), exact_p_value(one.table));
      for (std::size_t index = 1; index < tokens.size() && index <= kAlsoMax; ++index)
        one.also.push_back(tokens[index].text());
      result.push_back(std::move(one));
    }
    return result;
  }

 private:
  static constexpr std::size_t kAlsoMax = 10;

  bool is_possible_cause(const Token& token) const {
    if (token.value.size() > thresholds_.token_bytes_max) return false;
    return std::none_of(thresholds_.symptom_keys.begin(), thresholds_.symptom_keys.end(),
                        [&](const std::string& key) {
                          return key.ends_with('.') ? token.key.starts_with(key) : token.key == key;
                        });
  }

  const RelationThresholds& thresholds_;
  std::unordered_map<Token, TokenCounts, TokenHash> counts_;
};

// The tokens that separate bad from good traces, the best first.
std::vector<Candidate> related(const std::vector<const SampledTrace*>& bad,
                               const std::vector<const SampledTrace*>& good,
                               const RelationThresholds& thresholds) {
  if (bad.size() < thresholds.traces_min || good.empty()) return {};
  TokenCounter counter(thresholds);
  std::uint64_t number = 0;
  for (const SampledTrace* trace : bad) counter.add(*trace, number++, true);
  for (const SampledTrace* trace : good) counter.add(*trace, number++, false);
  std::vector<Candidate> all =
      counter.candidates(static_cast<double>(bad.size()), static_cast<double>(good.size()));
  std::vector<double> p_values;
  for (const Candidate& one : all) p_values.push_back(one.p_value);
  // The tests of tokens that few bad traces have count, too.
  p_values.resize(std::max(p_values.size(), counter.tests()), 1);
  const double limit =
      benjamini_hochberg_limit(std::move(p_values), thresholds.false_discovery_rate);
  std::erase_if(all, [&](const Candidate& one) {
    return one.p_value > limit || one.log_odds < thresholds.log_odds_min;
  });
  std::sort(all.begin(), all.end(), [](const Candidate& left, const Candidate& right) {
    return std::tie(right.chi_squared, left.token) < std::tie(left.chi_squared, right.token);
  });
  if (all.size() > thresholds.results_max) all.resize(thresholds.results_max);
  return all;
}

bool has_token(const SampledTrace& trace, const Token& token) {
  const auto has = [&](const TextAttributes& attributes) {
    return std::any_of(attributes.begin(), attributes.end(), [&](const auto& one) {
      return one.first == token.key && one.second == token.value;
    });
  };
  return std::any_of(trace.spans.begin(), trace.spans.end(), [&](const SampledSpan& span) {
    return has(span.attributes) || has(span.resource);
  });
}

Finding finding_of(const OperationKey& operation, Symptom symptom, Candidate candidate,
                   const std::vector<const SampledTrace*>& bad) {
  const TokenTable& table = candidate.table;
  Finding finding;
  finding.kind = FindingKind::kRelation;
  finding.operation = operation;
  finding.symptom = symptom == Symptom::kSlow ? "slow" : "failed";
  finding.token = candidate.token.text();
  finding.score = candidate.log_odds;
  finding.baseline = table.good_with / (table.good_with + table.good_without);
  finding.observed = table.bad_with / (table.bad_with + table.bad_without);
  finding.numbers = {{"bad", table.bad_with + table.bad_without},
                     {"bad_with_token", table.bad_with},
                     {"good", table.good_with + table.good_without},
                     {"good_with_token", table.good_with},
                     {"log_odds", candidate.log_odds},
                     {"chi_squared", candidate.chi_squared},
                     {"p_value", candidate.p_value}};
  finding.also = std::move(candidate.also);
  for (const SampledTrace* trace : bad) {
    if (finding.trace_ids.size() == Finding::kTraceIdsMax) break;
    if (has_token(*trace, candidate.token)) finding.trace_ids.push_back(trace->id);
  }
  return finding;
}

// The duration that this part of the traces does not exceed.
std::int64_t quantile_of(const std::vector<RootedTrace>& traces, double quantile) {
  std::vector<std::int64_t> durations;
  for (const RootedTrace& one : traces) durations.push_back(one.root->duration_ns);
  const auto rank = static_cast<std::size_t>(quantile * static_cast<double>(durations.size()));
  const auto place =
      durations.begin() + static_cast<std::ptrdiff_t>(std::min(rank, durations.size() - 1));
  std::nth_element(durations.begin(), place, durations.end());
  return *place;
}

}  // namespace

std::vector<Finding> relations(std::span<const SampledTrace> traces,
                               const std::map<OperationKey, std::int64_t>& slow_ns,
                               TimeRange window, const Thresholds& thresholds) {
  std::map<OperationKey, std::vector<RootedTrace>> by_root;
  for (const SampledTrace& trace : traces) {
    const std::size_t root = TraceTree(trace).root();
    if (root == TraceTree::kNone) continue;
    const SampledSpan& span = trace.spans[root];
    by_root[{span.service, span.name, span.kind}].push_back({&trace, &span});
  }
  std::vector<Finding> findings;
  for (const auto& [operation, rooted] : by_root) {
    const auto known = slow_ns.find(operation);
    const std::int64_t slow = known != slow_ns.end()
                                  ? known->second
                                  : quantile_of(rooted, thresholds.relation.slow_quantile);
    std::vector<const SampledTrace*> failed, succeeded, are_slow, are_fast;
    for (const RootedTrace& one : rooted) {
      (one.root->has_failed ? failed : succeeded).push_back(one.trace);
      if (!one.root->has_failed)
        (one.root->duration_ns > slow ? are_slow : are_fast).push_back(one.trace);
    }
    const auto append = [&](Symptom symptom, const auto& bad, const auto& good) {
      for (Candidate& one : related(bad, good, thresholds.relation)) {
        findings.push_back(finding_of(operation, symptom, std::move(one), bad));
        findings.back().window = window;
      }
    };
    append(Symptom::kFailed, failed, succeeded);
    append(Symptom::kSlow, are_slow, are_fast);
  }
  return findings;
}

}  // namespace spanway::query::insight

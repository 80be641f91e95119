#include "operator/reconcile/topic_claims.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "operator/api/declaration.h"
#include "services/lib/base/ascii.h"
#include "services/lib/config/scalar.h"

namespace spanway::reconcile {
namespace {

// "kafka:9092" in namespace a, "kafka.a:9092" and "kafka.a.svc.cluster.local:9092" are one address.
std::string normal_address(std::string address, const std::string& name_space) {
  const std::size_t colon = address.rfind(':');
  std::string host = to_lower(address.substr(0, colon));
  const std::string port = colon == std::string::npos ? "" : address.substr(colon);
  for (const std::string_view suffix : {".", ".cluster.local", ".svc"})
    if (host.ends_with(suffix)) host.resize(host.size() - suffix.size());
  if (host.find_first_of(".:") == std::string::npos) host += "." + name_space;
  return host + port;
}

}  // namespace

bool TopicClaims::Claim::is_before(const Claim& other, const kube::ObjectKey& own_key,
                                   const kube::ObjectKey& other_key) const {
  return std::tie(created, own_key) < std::tie(other.created, other_key);
}

TopicClaims::Claim TopicClaims::read(const Json& object, std::uint64_t made) {
  Claim claim;
  claim.made = made;
  claim.created = kube::string_at(object, "metadata/creationTimestamp");
  config::Problems problems;
  const api::Pipeline pipeline = api::read(object, problems);
  // One that cannot be read claims nothing: it does not run.
  if (!problems.empty()) return claim;
  const api::Topics& topics = pipeline.spec.kafka.topics;
  claim.shared = topics.shared;
  claim.retention = topics.retention;
  claim.dead_letter_retention = topics.dead_letter_retention;
  for (const std::string& broker : config::split_list(pipeline.spec.kafka.bootstrap_servers)) {
    const std::string address = normal_address(broker, pipeline.name_space);
    for (const std::string* name : {&topics.traces, &topics.metrics, &topics.logs})
      for (const std::string& suffix : {std::string(), topics.dead_letter_suffix})
        claim.places.insert(address + " " + topics.prefix + *name + suffix);
  }
  return claim;
}

void TopicClaims::add_overlapping(const kube::ObjectKey& pipeline, const Claim& claim,
                                  std::set<kube::ObjectKey>& out) const {
  for (const std::string& place : claim.places) {
    const auto found = by_place_.find(place);
    if (found == by_place_.end()) continue;
    for (const kube::ObjectKey& other : found->second)
      if (other != pipeline) out.insert(other);
  }
}

void TopicClaims::take_out(const kube::ObjectKey& pipeline, std::set<kube::ObjectKey>& changed) {
  const auto found = claims_.find(pipeline);
  if (found == claims_.end()) return;
  add_overlapping(pipeline, found->second, changed);
  for (const std::string& place : found->second.places) {
    const auto at = by_place_.find(place);
    at->second.erase(pipeline);
    if (at->second.empty()) by_place_.erase(at);
  }
  claims_.erase(found);
}

void TopicClaims::refresh(std::set<kube::ObjectKey>& changed) {
  for (const kube::ObjectKey& key : stores_.pipelines()) {
    const auto state = stores_.state(kube::kPipelines, key);
    const auto known = claims_.find(key);
    if (!state || (known != claims_.end() && known->second.made == state->content)) continue;
    const std::optional<Json> object = stores_.get(kube::kPipelines, key);
    if (!object) continue;
    Claim claim = read(*object, state->content);
    take_out(key, changed);
    for (const std::string& place : claim.places) by_place_[place].insert(key);
    add_overlapping(key, claim, changed);
    claims_[key] = std::move(claim);
  }
}

TopicClaims::Sharing TopicClaims::sharing_of(const kube::ObjectKey& pipeline,
                                             std::set<kube::ObjectKey>& changed) {
  Sharing out;
  const auto state = stores_.state(kube::kPipelines, pipeline);
  MutexLock lock(mutex_);
  auto own = claims_.find(pipeline);
  // Earlier ones are in the store before later ones, so what is there now is enough until this one
  // changes; those that change are read then.
  if (own == claims_.end() || !state || own->second.made != state->content) {
    refresh(changed);
    own = claims_.find(pipeline);
    if (own == claims_.end()) return out;
  }
  const Claim& claim = own->second;
  out.retention = claim.retention;
  out.dead_letter_retention = claim.dead_letter_retention;
  std::set<kube::ObjectKey> others;
  add_overlapping(pipeline, claim, others);
  for (const kube::ObjectKey& key : others) {
    const Claim& other = claims_.at(key);
    if (claim.shared && other.shared) {
      out.with.push_back(key);
      out.retention = std::max(out.retention, other.retention);
      out.dead_letter_retention = std::max(out.dead_letter_retention, other.dead_letter_retention);
      continue;
    }
    if (out.taken_by || !other.is_before(claim, key, pipeline)) continue;
    out.taken_by = key;
    const auto place =
        std::find_if(claim.places.begin(), claim.places.end(),
                     [&](const std::string& one) { return other.places.contains(one); });
    out.taken_topic = place->substr(place->find(' ') + 1);
  }
  changed.erase(pipeline);
  return out;
}

std::set<kube::ObjectKey> TopicClaims::forget(const kube::ObjectKey& pipeline) {
  std::set<kube::ObjectKey> changed;
  MutexLock lock(mutex_);
  take_out(pipeline, changed);
  changed.erase(pipeline);
  return changed;
}

}  // namespace spanway::reconcile

#include "operator/reconcile/secrets_poller.h"

#include <utility>

namespace spanway::reconcile {
namespace {

// ";key=hash", "" when there is none. Neither keys nor hashes hold a semicolon.
std::string entry_of(const std::string& identity, const std::string& key) {
  const std::size_t at = identity.find(";" + key + "=");
  if (at == std::string::npos) return "";
  return identity.substr(at, identity.find(';', at + 1) - at);
}

}  // namespace

bool has_key(const std::string& identity, const std::string& key) {
  return !entry_of(identity, key).empty();
}

std::string with_keys_of(std::string identity, const std::string& earlier,
                         const std::set<std::string>& keys) {
  for (const std::string& key : keys) identity += entry_of(earlier, key);
  return identity;
}

std::string secret_identity(const kube::Json& secret) {
  // Keyed by the uid, which is known only to those who may read the Secret anyway: the hash of a
  // short password must not be one that others can guess.
  const std::string uid = kube::string_at(secret, "metadata/uid");
  std::string text = "uid=" + uid.substr(0, uid.find('-'));
  const Json* data = kube::find(secret, "data");
  if (data == nullptr || !data->is_object()) return text;
  for (const auto& [key, value] : data->items())
    text += ";" + key + "=" + kube::fingerprint(Json::array({uid, key, value, uid}));
  return text;
}

SecretsPoller::SecretsPoller(kube::Client& client, const Events& events, Changed changed)
    : client_(client), events_(events), changed_(std::move(changed)) {}

Result<SecretsPoller::State> SecretsPoller::read_secret(const kube::ObjectKey& secret) {
  const auto answer = client_.get(kube::kSecrets, secret);
  State state;
  state.known = true;
  if (answer.ok()) {
    state.identity = secret_identity(*answer);
    return state;
  }
  if (answer.error().code == Code::kNotFound) return state;
  if (answer.error().code == Code::kPermissionDenied) {
    state.refusal = answer.error().message;
    return state;
  }
  return answer.error();
}

Result<SecretsPoller::Found> SecretsPoller::resolve(const kube::ObjectKey& pipeline,
                                                    const std::vector<std::string>& names) {
  Found found;
  const std::set<std::string> desired(names.begin(), names.end());
  {
    MutexLock lock(mutex_);
    for (auto at = secrets_.begin(); at != secrets_.end();) {
      if (at->first.name_space != pipeline.name_space || !desired.contains(at->first.name))
        at->second.pipelines.erase(pipeline);
      at = at->second.pipelines.empty() ? secrets_.erase(at) : std::next(at);
    }
  }
  for (const std::string& name : desired) {
    const kube::ObjectKey secret{pipeline.name_space, name};
    State state;
    {
      MutexLock lock(mutex_);
      const auto known = secrets_.find(secret);
      if (known != secrets_.end()) state = known->second.state;
    }
    if (!state.known) {
      SPANWAY_ASSIGN(state, read_secret(secret));
    }
    {
      MutexLock lock(mutex_);
      Entry& entry = secrets_[secret];
      if (!entry.state.known) entry.state = state;
      entry.pipelines.insert(pipeline);
    }
    if (!state.refusal.empty()) {
      found.refused[name] = state.refusal;
    } else if (state.identity.empty()) {
      found.missing.push_back(name);
    } else {
      found.identities[name] = state.identity;
    }
  }
  return found;
}

void SecretsPoller::forget(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  for (auto at = secrets_.begin(); at != secrets_.end();) {
    at->second.pipelines.erase(pipeline);
    at = at->second.pipelines.empty() ? secrets_.erase(at) : std::next(at);
  }
}

void SecretsPoller::poll() {
  std::vector<kube::ObjectKey> all;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, entry] : secrets_) all.push_back(key);
  }
  std::set<kube::ObjectKey> touched;
  std::set<std::string> silent;  // Namespaces that did not answer: not waited for again.
  for (const kube::ObjectKey& secret : all) {
    if (silent.contains(secret.name_space)) continue;
    auto state = read_secret(secret);
    if (!state.ok()) {
      if (state.error().code == Code::kDeadlineExceeded) silent.insert(secret.name_space);
      events_.secret_failed(secret, state.error());
      continue;
    }
    MutexLock lock(mutex_);
    const auto entry = secrets_.find(secret);
    if (entry == secrets_.end() || entry->second.state == *state) continue;
    entry->second.state = std::move(state).value();
    touched.insert(entry->second.pipelines.begin(), entry->second.pipelines.end());
  }
  for (const kube::ObjectKey& pipeline : touched) changed_(pipeline);
}

std::size_t SecretsPoller::size() const {
  MutexLock lock(mutex_);
  return secrets_.size();
}

}  // namespace spanway::reconcile

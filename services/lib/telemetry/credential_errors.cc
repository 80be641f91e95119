#include "services/lib/telemetry/credential_errors.h"

#include <map>
#include <set>
#include <utility>

#include "services/lib/base/mutex.h"

namespace spanway::telemetry {

using ByKey = std::map<std::string, std::string>;

struct CredentialErrors::Impl {
  // Held while the functions run, before `mutex`.
  Mutex refresh_mutex;
  std::map<const void*, std::function<void()>> refreshers SPANWAY_GUARDED_BY(refresh_mutex);
  mutable Mutex mutex;
  std::map<const void*, ByKey> by_reporter SPANWAY_GUARDED_BY(mutex);
};

CredentialErrors::CredentialErrors() : impl_(std::make_shared<Impl>()) {}

std::vector<std::string> CredentialErrors::list() const {
  {
    MutexLock lock(impl_->refresh_mutex);
    for (const auto& [refresher, refresh] : impl_->refreshers) refresh();
  }
  std::set<std::string> all;
  {
    MutexLock lock(impl_->mutex);
    for (const auto& [reporter, by_key] : impl_->by_reporter)
      for (const auto& [key, text] : by_key) all.insert(text);
  }
  std::vector<std::string> listed;
  for (const std::string& text : all) {
    if (listed.size() == kListedMax) break;
    listed.push_back(text);
  }
  return listed;
}

struct CredentialReporter::Entries {
  explicit Entries(std::shared_ptr<CredentialErrors::Impl> shared) : impl(std::move(shared)) {}
  Entries(const Entries&) = delete;
  Entries& operator=(const Entries&) = delete;
  ~Entries() {
    MutexLock lock(impl->mutex);
    impl->by_reporter.erase(this);
  }
  const std::shared_ptr<CredentialErrors::Impl> impl;
};

CredentialReporter::CredentialReporter(const CredentialErrors& errors)
    : entries_(std::make_shared<Entries>(errors.impl_)) {}

void CredentialReporter::report(const std::string& key, const Status& read) const {
  MutexLock lock(entries_->impl->mutex);
  ByKey& by_key = entries_->impl->by_reporter[entries_.get()];
  if (read.ok()) {
    by_key.erase(key);
    return;
  }
  if (by_key.size() >= kKeysMax && !by_key.contains(key)) return;
  const std::string& problem = read.error().message;
  by_key[key] = problem.starts_with(key) ? problem : key + ": " + problem;
}

CredentialRefresher::CredentialRefresher(const CredentialErrors& errors,
                                         std::function<void()> refresh)
    : impl_(errors.impl_) {
  MutexLock lock(impl_->refresh_mutex);
  impl_->refreshers[this] = std::move(refresh);
}

CredentialRefresher::~CredentialRefresher() {
  MutexLock lock(impl_->refresh_mutex);
  impl_->refreshers.erase(this);
}

}  // namespace spanway::telemetry

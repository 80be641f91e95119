#include "services/query/store/cancel_token.h"

namespace spanway::query {

struct CancelToken::Registration::Entry {
  Mutex mutex;
  std::function<void()> callback SPANWAY_GUARDED_BY(mutex);
  void run() {
    MutexLock lock(mutex);
    if (callback) callback();
    callback = nullptr;
  }
};

CancelToken::Registration::~Registration() {
  if (!entry_) return;
  MutexLock lock(entry_->mutex);
  entry_->callback = nullptr;
}

void CancelToken::cancel() const {
  std::vector<std::weak_ptr<Registration::Entry>> entries;
  {
    MutexLock lock(state_->mutex);
    state_->cancelled = true;
    entries.swap(state_->entries);
  }
  for (const auto& weak : entries)
    if (const auto entry = weak.lock()) entry->run();
}

bool CancelToken::cancelled() const {
  MutexLock lock(state_->mutex);
  return state_->cancelled;
}

CancelToken::Registration CancelToken::on_cancel(std::function<void()> callback) const {
  auto entry = std::make_shared<Registration::Entry>();
  {
    MutexLock lock(entry->mutex);
    entry->callback = std::move(callback);
  }
  bool at_once = false;
  {
    MutexLock lock(state_->mutex);
    at_once = state_->cancelled;
    if (!at_once) {
      std::erase_if(state_->entries, [](const auto& weak) { return weak.expired(); });
      state_->entries.push_back(entry);
    }
  }
  if (at_once) entry->run();
  return Registration(std::move(entry));
}

}  // namespace spanway::query

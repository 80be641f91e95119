// Ends the work of a query, on whichever thread it waits, once its client is gone.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"

namespace spanway::query {

// A copy is the same token. Thread-safe.
class CancelToken {
 public:
  CancelToken() : state_(std::make_shared<State>()) {}

  // Runs the callbacks that are registered; once.
  void cancel() const;
  bool cancelled() const;

  // Unregisters on destruction, which waits for a callback that is running. The callback runs on
  // the thread that cancels, at once when that has happened; it must not touch the token.
  class Registration {
   public:
    Registration() = default;
    Registration(Registration&&) noexcept = default;
    Registration& operator=(Registration&&) = delete;
    ~Registration();

   private:
    friend class CancelToken;
    struct Entry;
    explicit Registration(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Entry> entry_;
  };
  [[nodiscard]] Registration on_cancel(std::function<void()> callback) const;

 private:
  struct State {
    mutable Mutex mutex;
    bool cancelled SPANWAY_GUARDED_BY(mutex) = false;
    std::vector<std::weak_ptr<Registration::Entry>> entries SPANWAY_GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_;
};

}  // namespace spanway::query

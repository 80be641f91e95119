// Callbacks that may run after the object they refer to has been destroyed.
#pragma once

#include <memory>
#include <utility>

namespace spanway {

// A member of the object; declared last, so that it is destroyed first. Functions made by wrap() do
// nothing once the guard has been destroyed or reset.
//   executor_.post_after(wait, guard_.wrap([this] { tick(); }));
// Thread contract: wrapped functions run on the thread that destroys the object, or after it has
// stopped; the guard does not make a destructor wait for a function that is running elsewhere.
// wrap() is thread-safe.
class CallbackGuard {
 public:
  CallbackGuard() = default;
  CallbackGuard(const CallbackGuard&) = delete;
  CallbackGuard& operator=(const CallbackGuard&) = delete;

  // `function` returns nothing.
  template <typename F>
  auto wrap(F function) const {
    return [alive = std::weak_ptr<const char>(alive_),
            function = std::move(function)]<typename... Args>(Args&&... args) mutable {
      if (!alive.expired()) function(std::forward<Args>(args)...);
    };
  }
  // Ends all callbacks early, for a destructor that runs posted functions.
  void reset() noexcept { alive_.reset(); }

 private:
  std::shared_ptr<const char> alive_ = std::make_shared<const char>('\0');
};

}  // namespace spanway

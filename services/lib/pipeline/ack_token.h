// Owns the answer to one batch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "services/lib/base/result.h"

namespace spanway::pipeline {

// The result of a batch that the next owner has taken. `rejected` items were rejected permanently
// and must not be sent again (OTLP partial success); a message without rejected items is a warning.
struct Outcome {
  std::uint64_t rejected = 0;
  std::string message;
};

// Move-only. Decided exactly once, by ack() or nack(), from any thread; the answer function runs on
// the thread that decides. Dropped undecided = nack(INTERNAL, unknown) and a counted bug, so that a
// lost token never turns into a lost batch. ack() means: the next owner has durably taken the
// batch.
class [[nodiscard]] AckToken {
 public:
  using Answer = std::function<void(Result<Outcome>)>;

  AckToken() = default;
  explicit AckToken(Answer answer) : answer_(std::move(answer)) {}
  AckToken(AckToken&& other) noexcept : answer_(std::exchange(other.answer_, nullptr)) {}
  AckToken& operator=(AckToken&& other) noexcept;
  AckToken(const AckToken&) = delete;
  AckToken& operator=(const AckToken&) = delete;
  ~AckToken();

  void ack(Outcome outcome = {}) noexcept;
  void nack(Error error) noexcept;
  void answer(Result<Outcome> result) noexcept;
  bool undecided() const noexcept { return answer_ != nullptr; }

 private:
  Answer answer_;
};

}  // namespace spanway::pipeline

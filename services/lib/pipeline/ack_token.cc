#include "services/lib/pipeline/ack_token.h"

#include "services/lib/base/check.h"

namespace spanway::pipeline {
namespace {

void drop(AckToken::Answer answer) noexcept {
  if (!answer) return;
  count_bug("ack_token_dropped");
  answer(
      unknown_error(Code::kInternal,
                    "the answer for this batch was lost inside Spanway; sending it again is safe"));
}

}  // namespace

AckToken& AckToken::operator=(AckToken&& other) noexcept {
  if (this != &other) drop(std::exchange(answer_, std::exchange(other.answer_, nullptr)));
  return *this;
}

AckToken::~AckToken() { drop(std::exchange(answer_, nullptr)); }

void AckToken::answer(Result<Outcome> result) noexcept {
  Answer once = std::exchange(answer_, nullptr);
  if (!once) {
    count_bug("ack_token_decided_twice");
    return;
  }
  once(std::move(result));
}

void AckToken::ack(Outcome outcome) noexcept { answer(std::move(outcome)); }

void AckToken::nack(Error error) noexcept { answer(std::move(error)); }

}  // namespace spanway::pipeline

// The identity of a batch, and of the halves that a sender cuts it to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spanway::pipeline {

// As text: the batch's own "topic:partition:first-last[:tenant]", and behind it "~first+count" for
// a part of its items. Equal parts have equal identities in every run of the sender.
struct BatchIdentity {
  std::string batch;        // Empty = the batch has no identity.
  std::uint64_t first = 0;  // Items of the batch; count 0 = all of them.
  std::uint64_t count = 0;
  bool operator==(const BatchIdentity&) const = default;

  bool is_unsplit() const noexcept { return count == 0; }
  // True when each item of this part is an item of `other`.
  bool lies_in(const BatchIdentity& other) const noexcept;
};

std::string to_string(const BatchIdentity& identity);
// Every text has an identity: one without a part is a whole batch.
BatchIdentity parse_batch_identity(std::string_view text);

}  // namespace spanway::pipeline

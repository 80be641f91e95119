// The answer to a SELECT, block by block, while the server is still computing it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/clickhouse/query.h"
#include "services/lib/clickhouse/sql.h"

namespace spanway::clickhouse {

// Limits of one query on the server; 0 = the server's own limit. Passing one is
// RESOURCE_EXHAUSTED, and never an answer with a part of the rows.
struct SelectLimits {
  std::uint64_t rows_read = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t threads = 0;
};

struct Select {
  Sql sql = {};
  Parameters parameters = {};
  SelectLimits limits = {};
};

// The known part of a query's cost. The rows and bytes that the server has read are those of
// the moment at which it sent the head: exact for what sorts or groups, else a lower bound.
struct SelectCost {
  std::uint64_t rows_read = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t blocks = 0;
};

// Move-only by pointer. next() and cost() belong to one thread, which next() blocks; cancel() is
// thread-safe. Destroyed before its end, it closes the connection, and the server ends the query.
// Holds at most kBufferBytes that have arrived, one read of the client and one block.
class SelectStream {
 public:
  static constexpr std::size_t kBufferBytes = 1u << 20;
  static constexpr std::size_t kBlockBytesMax = 64u << 20;

  class Answer;  // The part that the io thread writes to.
  SelectStream(std::shared_ptr<Answer> answer, std::string endpoint);
  ~SelectStream();
  SelectStream(const SelectStream&) = delete;
  SelectStream& operator=(const SelectStream&) = delete;

  // The next block, without empty ones; nothing at the end of a complete answer. An answer that is
  // cut is always an error: the server's exception where it sent one, else transient. Errors by the
  // deadline at the latest; after one, and after the end, the same again.
  Result<std::optional<block::Block>> next();
  // Ends the query: next() returns CANCELLED.
  void cancel();
  SelectCost cost() const;

 private:
  struct Reading;
  Result<std::optional<block::Block>> read();
  const std::shared_ptr<Answer> answer_;
  const std::unique_ptr<Reading> reading_;
};

}  // namespace spanway::clickhouse

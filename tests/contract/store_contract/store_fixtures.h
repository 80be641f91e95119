// The stores under contract, each with a way to fill it.
#pragma once

#include <memory>
#include <string>

#include "services/query/store/trace_store.h"

namespace spanway::query {

// Single-thread. Empty when it is made.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual TraceStore& store() = 0;
  // Stores an ExportTraceServiceRequest.
  virtual void add(const std::string& tenant, const std::string& payload) = 0;
};

// `kind`: memory, or clickhouse or s3 on the real server. Null when the server cannot be had:
// `unavailable` says why.
std::unique_ptr<StoreFixture> make_store_fixture(const std::string& kind, std::string& unavailable);

}  // namespace spanway::query

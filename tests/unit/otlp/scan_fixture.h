// Requests built by hand, and their scans.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/otlp/scan.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp {

using fakes::otlp_request;
using fakes::otlp_request_of;
using fakes::otlp_resource;
using fakes::otlp_scope;
using fakes::otlp_span;
using fakes::ProtoMessage;

inline const std::string kGzipLike("\x1f\x8b\x08\x00", 4);

class ScannedRequest {
 public:
  ScannedRequest(Signal signal, std::string payload, ScanLimits limits = {})
      : payload_(std::move(payload)), scanner_(limits), status_(scanner_.scan(signal, payload_)) {}

  const Index& index() const { return scanner_.index(); }
  const Status& status() const { return status_; }
  std::string_view bytes(const Slice& slice) const {
    return std::string_view(payload_).substr(slice.offset, slice.size);
  }
  std::vector<RejectReason> rejects() const {
    std::vector<RejectReason> reasons;
    for (const Item& item : index().items) reasons.push_back(item.reject);
    return reasons;
  }

 private:
  std::string payload_;
  Scanner scanner_;
  Status status_;
};

inline ScannedRequest scan_spans(const std::vector<ProtoMessage>& spans, ScanLimits limits = {}) {
  return ScannedRequest(Signal::kTraces, otlp_request_of(spans), limits);
}
inline RejectReason reject_of(Signal signal, const ProtoMessage& item, ScanLimits limits = {}) {
  const ScannedRequest scanned(signal, otlp_request_of({item}), limits);
  EXPECT_TRUE(scanned.status().ok());
  EXPECT_EQ(scanned.index().items.size(), 1u);
  return scanned.index().items.empty() ? RejectReason::kNone : scanned.index().items[0].reject;
}
inline RejectReason reject_of_span(const ProtoMessage& span) {
  return reject_of(Signal::kTraces, span);
}

inline ProtoMessage two_resources() {
  return otlp_request({otlp_resource("a", {otlp_scope("s1", {otlp_span(1, 1), otlp_span(2, 2)}),
                                           otlp_scope("s2", {otlp_span(1, 3)})}),
                       otlp_resource("b", {otlp_scope("s3", {otlp_span(3, 4)})})});
}

// InstrumentationLibrarySpans and its like; the items have the number that they have in a scope.
inline ProtoMessage library(const std::vector<ProtoMessage>& items) {
  return otlp_scope("library", items).bytes(3, "https://schema");
}
inline std::uint64_t count_of(const Index& index, RejectReason reason) {
  return index.rejected_by_reason[static_cast<std::size_t>(reason)];
}

}  // namespace spanway::otlp

#include <algorithm>
#include <string>
#include <string_view>

#include "services/lib/base/tenant_name.h"
#include "services/lib/rpc/export_service.h"

namespace spanway::rpc {
namespace {

constexpr std::size_t kBatchIdBytesMax = 512;
constexpr std::size_t kTraceparentBytes = 55;
constexpr std::size_t kTracestateBytesMax = 512;

bool is_visible(char c) noexcept { return c > 0x20 && c < 0x7f; }

bool is_visible_or_space(char c) noexcept { return c >= 0x20 && c < 0x7f; }

Error bad_header(const char* reason, std::string message) {
  return invalid_argument(std::move(message)).with_reason(reason);
}

// Harmless from any client: it asks for more to be refused, of its own request.
bool is_all_or_nothing(const http::RequestHead& head) noexcept {
  return head.headers.get("spanway-all-or-nothing") == "1";
}

class PlainGatekeeper final : public Gatekeeper {
 public:
  Result<pipeline::Metadata> admit(const http::RequestHead& head, otlp::Signal) override {
    pipeline::Metadata metadata;
    metadata.all_or_nothing = is_all_or_nothing(head);
    return metadata;
  }
};

class TrustingGatekeeper final : public Gatekeeper {
 public:
  Result<pipeline::Metadata> admit(const http::RequestHead& head, otlp::Signal) override {
    pipeline::Metadata metadata;
    const std::string_view tenant = head.headers.get("spanway-tenant");
    if (head.headers.count("spanway-tenant") > 1 || (!tenant.empty() && !is_tenant_name(tenant))) {
      return bad_header(
          "tenant_invalid",
          "spanway-tenant must be set exactly once and be 1 to 64 of A-Z a-z 0-9 _ -");
    }
    const std::string_view batch = head.headers.get("spanway-batch");
    if (head.headers.count("spanway-batch") > 1 || batch.size() > kBatchIdBytesMax ||
        !std::ranges::all_of(batch, is_visible)) {
      return bad_header(
          "batch_id_invalid",
          "spanway-batch must be set exactly once and be at most 512 visible characters");
    }
    metadata.tenant = tenant;
    metadata.batch_id = batch;
    metadata.all_or_nothing = is_all_or_nothing(head);
    take_trace_context(head.headers, metadata);
    return metadata;
  }

 private:
  // A broken trace context is dropped, never a reason to refuse (W3C Trace Context 1, 3.2).
  static void take_trace_context(const http::Headers& headers, pipeline::Metadata& metadata) {
    const std::string_view parent = headers.get("traceparent");
    if (headers.count("traceparent") != 1 || parent.size() != kTraceparentBytes ||
        !std::ranges::all_of(parent, is_visible)) {
      return;
    }
    metadata.traceparent = parent;
    const std::string_view state = headers.get("tracestate");
    if (headers.count("tracestate") == 1 && state.size() <= kTracestateBytesMax &&
        std::ranges::all_of(state, is_visible_or_space)) {
      metadata.tracestate = state;
    }
  }
};

}  // namespace

std::unique_ptr<Gatekeeper> trusting_gatekeeper() { return std::make_unique<TrustingGatekeeper>(); }

std::unique_ptr<Gatekeeper> plain_gatekeeper() { return std::make_unique<PlainGatekeeper>(); }

}  // namespace spanway::rpc

#include "operator/reconcile/write_failures.h"

#include <string_view>

#include "operator/decide/wall_time.h"
#include "operator/k8s/status_error.h"

namespace spanway::reconcile {
namespace {

constexpr Duration kReportedAfter = std::chrono::seconds(30);

// The server has answered, and would answer the same again: 400, 422, and 500, which is what an
// apply of an unknown field gets. Missing rights and conflicts are no fault of the object.
bool is_refusal(const Error& error) {
  return std::string_view(error.reason) == "invalid" ||
         std::string_view(error.reason) == "internal_error" || error.code == Code::kInvalidArgument;
}

}  // namespace

bool is_silent(const Error& error) {
  return error.code == Code::kDeadlineExceeded || std::string_view(error.reason) == "no_connection";
}

bool is_namespace_end(const Error& error) {
  return std::string_view(error.reason) == kube::kReasonNamespaceEnds;
}

void WriteFailures::note(const Status& written, const std::string& revision, SystemTime wall_now) {
  if (written.ok()) {
    *this = WriteFailures();
    return;
  }
  const Error& error = written.error();
  if (!failing_since_) failing_since_ = wall_now;
  if (is_refusal(error)) {
    if (!refused_since_ || refused_revision_ != revision) refused_since_ = wall_now;
    refused_revision_ = revision;
    refusal_ = error.message;
  }
  repeats_ = wall_now - *failing_since_ >= kReportedAfter;
  if (repeats_ || error.refusal != Refusal::kTransient) message_ = error.message;
}

void WriteFailures::move(Duration by) {
  if (failing_since_) *failing_since_ += by;
  if (refused_since_) *refused_since_ += by;
}

std::int64_t WriteFailures::refused_for_ms(const std::string& revision, SystemTime wall_now) const {
  if (!refused_since_ || refused_revision_ != revision) return 0;
  return decide::unix_ms(wall_now) - decide::unix_ms(*refused_since_);
}

}  // namespace spanway::reconcile

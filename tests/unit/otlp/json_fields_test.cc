#include "services/lib/otlp/json_fields.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"

namespace spanway::otlp {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

JsonKind expected_kind(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_BOOL:
      return JsonKind::kBool;
    case FieldDescriptor::TYPE_INT32:
      return JsonKind::kInt32;
    case FieldDescriptor::TYPE_INT64:
      return JsonKind::kInt64;
    case FieldDescriptor::TYPE_UINT32:
      return JsonKind::kUint32;
    case FieldDescriptor::TYPE_UINT64:
      return JsonKind::kUint64;
    case FieldDescriptor::TYPE_SINT32:
      return JsonKind::kSint32;
    case FieldDescriptor::TYPE_ENUM:
      return JsonKind::kEnum;
    case FieldDescriptor::TYPE_FIXED32:
      return JsonKind::kFixed32;
    case FieldDescriptor::TYPE_FIXED64:
      return JsonKind::kFixed64;
    case FieldDescriptor::TYPE_SFIXED64:
      return JsonKind::kSfixed64;
    case FieldDescriptor::TYPE_DOUBLE:
      return JsonKind::kDouble;
    case FieldDescriptor::TYPE_STRING:
      return JsonKind::kString;
    case FieldDescriptor::TYPE_BYTES:
      return field.name().ends_with("_id") ? JsonKind::kId : JsonKind::kBytes;
    case FieldDescriptor::TYPE_MESSAGE:
      return JsonKind::kMessage;
    default:
      ADD_FAILURE() << field.full_name() << " has a type that JsonKind does not know";
      return JsonKind::kBool;
  }
}

void expect_same(const JsonMessage& table, const Descriptor& descriptor,
                 std::set<std::string>& done) {
  if (!done.insert(descriptor.full_name()).second) return;
  SCOPED_TRACE(descriptor.full_name());
  EXPECT_EQ(table.name, descriptor.name());
  // Only the tables still have the deprecated field.
  const bool deprecated = table.fields.back().number == 1000;
  ASSERT_EQ(table.fields.size() - (deprecated ? 1 : 0),
            static_cast<std::size_t>(descriptor.field_count()));
  ASSERT_LE(table.fields.size(), kJsonFieldsMax);
  std::uint32_t number_before = 0;
  for (const JsonField& field : table.fields) {
    SCOPED_TRACE(std::string(field.name));
    if (field.number == 1000) {
      EXPECT_TRUE(field.name.starts_with("instrumentationLibrary"));
      continue;
    }
    const FieldDescriptor* published = descriptor.FindFieldByNumber(static_cast<int>(field.number));
    ASSERT_NE(published, nullptr);
    EXPECT_EQ(field.name, published->json_name());
    EXPECT_EQ(field.kind, expected_kind(*published));
    EXPECT_EQ(field.repeated, published->is_repeated());
    EXPECT_EQ(field.presence, published->has_presence());
    EXPECT_EQ(field.oneof, published->real_containing_oneof() != nullptr);
    EXPECT_LT(number_before, field.number) << "the table must be in the order of the numbers";
    number_before = field.number;
    ASSERT_EQ(field.message != nullptr, field.kind == JsonKind::kMessage);
    if (field.message != nullptr) expect_same(*field.message, *published->message_type(), done);
  }
}

TEST(JsonFields, AreTheFieldsOfTheProtoFiles) {
  namespace collector = opentelemetry::proto::collector;
  std::set<std::string> done;
  expect_same(json_request(Signal::kTraces),
              *collector::trace::v1::ExportTraceServiceRequest::descriptor(), done);
  expect_same(json_request(Signal::kMetrics),
              *collector::metrics::v1::ExportMetricsServiceRequest::descriptor(), done);
  expect_same(json_request(Signal::kLogs),
              *collector::logs::v1::ExportLogsServiceRequest::descriptor(), done);
  EXPECT_EQ(done.size(), 34u);
}

// The reader relies on it: a message has one oneof at most.
TEST(JsonFields, NoMessageHasTwoOneofs) {
  namespace collector = opentelemetry::proto::collector;
  const Descriptor* roots[] = {collector::trace::v1::ExportTraceServiceRequest::descriptor(),
                               collector::metrics::v1::ExportMetricsServiceRequest::descriptor(),
                               collector::logs::v1::ExportLogsServiceRequest::descriptor()};
  std::set<const Descriptor*> done(std::begin(roots), std::end(roots));
  std::vector<const Descriptor*> open(done.begin(), done.end());
  while (!open.empty()) {
    const Descriptor* descriptor = open.back();
    open.pop_back();
    EXPECT_LE(descriptor->real_oneof_decl_count(), 1) << descriptor->full_name();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const Descriptor* child = descriptor->field(i)->message_type();
      if (child != nullptr && done.insert(child).second) open.push_back(child);
    }
  }
}

}  // namespace
}  // namespace spanway::otlp

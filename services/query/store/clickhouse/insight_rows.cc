#include "services/query/store/clickhouse/insight_rows.h"

#include <cstdint>

#include "services/lib/base/json_writer.h"
#include "services/lib/block/column.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/schema/table.h"
#include "services/query/store/clickhouse/clickhouse_reading.h"

namespace spanway::query {
namespace {

using block::Block;
using block::DictionaryColumn;
using block::FixedColumn;
using block::ListColumn;
using block::StringColumn;

Block rows_of(const char* table) {
  const auto fields = schema::find_table(table)->insert_fields();
  SPANWAY_CHECK(fields.ok());
  return Block(*fields);
}

void append_key(const WindowState& state, const std::string& tenant, Block& rows) {
  rows.get<DictionaryColumn>("tenant").append(tenant);
  rows.get<FixedColumn>("t").append(static_cast<std::uint32_t>(seconds_of(state.begin_unix_nano)));
  rows.get<FixedColumn>("version").append(static_cast<std::uint64_t>(state.version));
}

// The number of the value of that name in an Enum8; 0 when there is none.
std::int8_t enum_value(const FixedColumn& column, const std::string& name) {
  for (const block::EnumValue& value : column.type().values)
    if (value.name == name) return value.value;
  return 0;
}

// The members without a column of their own.
std::string evidence_of(const FindingRow& finding) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("service", finding.service).member("operation", finding.operation);
  json.member("span_kind", finding.span_kind).member("token", finding.token);
  json.member("symptom", finding.symptom).begin_object("numbers");
  for (const auto& [name, number] : finding.numbers) json.member(name, number);
  json.end_object().begin_array("also");
  for (const std::string& token : finding.also) json.value(token);
  json.end_array().end_object();
  return out;
}

}  // namespace

Block edge_rows(const WindowResult& result, const std::string& tenant) {
  Block rows = rows_of(kEdgesTable);
  auto& links = rows.get<FixedColumn>("link");
  auto& durations = rows.get<ListColumn>("hist");
  for (const EdgeRow& edge : result.edges) {
    append_key(result.state, tenant, rows);
    rows.get<DictionaryColumn>("parent").append(edge.parent);
    rows.get<DictionaryColumn>("child").append(edge.child);
    links.append(enum_value(links, edge.link));
    rows.get<FixedColumn>("calls").append(edge.calls);
    rows.get<FixedColumn>("errors").append(edge.errors);
    rows.get<FixedColumn>("duration_ns").append(edge.duration_ns);
    for (const auto& [bucket, count] : edge.durations) {
      static_cast<FixedColumn&>(durations.nested(0)).append(bucket);
      static_cast<FixedColumn&>(durations.nested(1)).append(count);
    }
    durations.close_row();
  }
  return rows;
}

Block finding_rows(const WindowResult& result, const std::string& tenant) {
  Block rows = rows_of(kFindingsTable);
  auto& trace_ids = rows.get<ListColumn>("trace_ids");
  for (const FindingRow& finding : result.findings) {
    append_key(result.state, tenant, rows);
    rows.get<DictionaryColumn>("kind").append(finding.kind);
    rows.get<StringColumn>("subject").append(finding.subject);
    rows.get<FixedColumn>("until").append(
        static_cast<std::uint32_t>(seconds_of(result.state.begin_unix_nano + kRollupNanos)));
    rows.get<FixedColumn>("score").append(finding.score);
    rows.get<FixedColumn>("baseline").append(finding.baseline);
    rows.get<FixedColumn>("observed").append(finding.observed);
    rows.get<StringColumn>("evidence").append(evidence_of(finding));
    for (const TraceId& id : finding.trace_ids)
      static_cast<FixedColumn&>(trace_ids.nested()).append_text(id);
    trace_ids.close_row();
  }
  return rows;
}

Block window_row(const WindowState& state, const std::string& tenant) {
  Block rows = rows_of(kInsightWindowsTable);
  append_key(state, tenant, rows);
  rows.get<FixedColumn>("part").append(state.part);
  rows.get<FixedColumn>("traces").append(state.traces);
  return rows;
}

}  // namespace spanway::query

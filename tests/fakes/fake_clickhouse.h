// A ClickHouse for tests: knows the tables of the schema, takes dictionary rows, and answers data
// inserts as a script says.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/schema/table.h"
#include "tests/fakes/fake_http_backend.h"

namespace spanway::sinks {

inline http::Response clickhouse_answer(int status = 200, std::string_view body = {},
                                        std::string_view exception = {}) {
  http::Response response = fakes::http_answer(status, body);
  response.headers.add("x-clickhouse-query-id", "1");
  if (!exception.empty())
    response.headers.add("x-clickhouse-exception-code", std::string(exception));
  return response;
}

// The answer to the question for columns: those of the schema, but for one that is left out.
inline http::Response columns_answer(std::string_view without = {}) {
  const block::Field fields[] = {{"table", {}}, {"name", {}}, {"type", {}}};
  block::Block rows(fields);
  for (const schema::Table& table : schema::tables())
    for (const schema::Column& column : table.columns) {
      if (column.name == without) continue;
      rows.get<block::StringColumn>("table").append(table.name);
      rows.get<block::StringColumn>("name").append(column.name);
      rows.get<block::StringColumn>("type").append(column.type);
    }
  Bytes body;
  clickhouse::append_native(rows, body);
  return clickhouse_answer(200, body.view());
}

inline bool is_schema_question(const fakes::SeenRequest& seen) {
  return seen.body.find("system.columns") != std::string::npos;
}
// "spans" of "INSERT INTO `spans` ...", which the query holds percent-encoded.
inline std::string table_of(const fakes::SeenRequest& seen) {
  const std::string& query = seen.head.query;
  constexpr std::string_view kBefore = "INSERT%20INTO%20%60";
  const std::size_t begin = query.find(kBefore);
  if (begin == std::string::npos) return "";
  const std::string_view rest = std::string_view(query).substr(begin + kBefore.size());
  return std::string(rest.substr(0, rest.find("%60")));
}
inline bool is_data_insert(const fakes::SeenRequest& seen) {
  const std::string table = table_of(seen);
  return table == "spans" || table == "logs" || table == "samples" || table == "histograms" ||
         table == "exemplars";
}

// `data` answers data inserts; all else is accepted.
inline fakes::Script clickhouse_script(fakes::Script data) {
  return [data = std::move(data)](const fakes::SeenRequest& seen) -> fakes::Answer {
    if (is_schema_question(seen)) return columns_answer();
    if (is_data_insert(seen)) return data(seen);
    return clickhouse_answer();
  };
}

}  // namespace spanway::sinks

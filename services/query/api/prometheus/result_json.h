// Values of PromQL in the JSON of Prometheus's HTTP API. Internal to query/api/prometheus.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/query/api/answer_writer.h"
#include "services/query/promql/engine.h"

namespace spanway::query::prometheus {

// `1435781451.781`
void append_time(std::int64_t ms, std::string& out);
// `"0.5"`, `"NaN"`, `"+Inf"`
void append_number(double value, std::string& out);
// {"count":"..","sum":"..","buckets":[[boundaries,"lower","upper","count"],..]}
void append_histogram(const promql::Histogram& histogram, std::string& out);
// {"name":"value",..}
void append_labels(const Labels& labels, std::string& out);
// ["a","b"]
void append_texts(const std::vector<std::string>& texts, std::string& out);

// {"resultType":..,"result":..}, one series at a time.
Status write_result(const promql::QueryResult& result, AnswerWriter& writer);
// Notes behind the data, at most ten of each kind: ,"warnings":[..],"infos":[..]
std::string notes_json(std::vector<std::string> warnings, std::vector<std::string> infos);

}  // namespace spanway::query::prometheus

// Answers to Jaeger's searches and lists. Internal to query/api/jaeger.
#pragma once

#include "services/query/api/answer_writer.h"
#include "services/query/api/jaeger/jaeger_search.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// All write the complete answer but do not finish it. A search that ended early says so in the
// header Spanway-Coverage, and in `errors` of v1.
Status answer_search_v1(TraceStore& store, const SearchParameters& search, QueryContext& context,
                        AnswerWriter& answer);
Status answer_search_v3(TraceStore& store, const SearchParameters& search, QueryContext& context,
                        AnswerWriter& answer);
// {"summaries":[...]}, newest first.
Status answer_summaries(TraceStore& store, const SearchParameters& search, QueryContext& context,
                        AnswerWriter& answer);

Status answer_services_v1(TraceStore& store, TimeRange range, QueryContext& context,
                          AnswerWriter& answer);
Status answer_services_v3(TraceStore& store, TimeRange range, QueryContext& context,
                          AnswerWriter& answer);
// Names alone, each once.
Status answer_operation_names(TraceStore& store, const std::string& service, TimeRange range,
                              QueryContext& context, AnswerWriter& answer);
// Names and kinds; an empty kind is every kind.
Status answer_operations_v1(TraceStore& store, const std::string& service, std::string_view kind,
                            TimeRange range, QueryContext& context, AnswerWriter& answer);
Status answer_operations_v3(TraceStore& store, const std::string& service, std::string_view kind,
                            TimeRange range, QueryContext& context, AnswerWriter& answer);
// Those of one service, or all.
Status answer_dependencies_v1(TraceStore& store, std::string_view service, TimeRange range,
                              QueryContext& context, AnswerWriter& answer);
Status answer_dependencies_v3(TraceStore& store, TimeRange range, QueryContext& context,
                              AnswerWriter& answer);

}  // namespace spanway::query::jaeger

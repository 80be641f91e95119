// The answers of jaeger.api_v3.QueryService. Internal to query/api/jaeger.
#pragma once

#include "services/query/api/jaeger/grpc_requests.h"
#include "services/query/api/message_writer.h"
#include "services/query/store/trace_store.h"

namespace spanway::query::jaeger {

// All write the messages of the answer but do not end it. A message of spans or of summaries has at
// most 2 MiB, or one span: clients take 4 MiB. One of spans has spans of one trace; those of a
// trace follow each other.

// A trace that does not exist has no messages, as in Jaeger.
Status send_trace(TraceStore& store, const TraceRequest& request, QueryContext& context,
                  MessageWriter& writer);
Status send_search(TraceStore& store, const SearchParameters& search, QueryContext& context,
                   MessageWriter& writer);
Status send_summaries(TraceStore& store, const SearchParameters& search, QueryContext& context,
                      MessageWriter& writer);
Status send_services(TraceStore& store, QueryContext& context, MessageWriter& writer);
Status send_operations(TraceStore& store, const OperationsRequest& request, QueryContext& context,
                       MessageWriter& writer);
Status send_dependencies(TraceStore& store, TimeRange range, QueryContext& context,
                         MessageWriter& writer);

}  // namespace spanway::query::jaeger

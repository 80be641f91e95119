// The meaning of Loki's answers. Pure; thread-safe.
// Source: Loki 3.7, pkg/distributor/http.go, pkg/ingester/stream.go.
#pragma once

#include <cstdint>

#include "services/lib/base/result.h"
#include "services/lib/http/message.h"
#include "services/lib/pipeline/ack_token.h"

namespace spanway::sinks {

// Handed over by the poster; the text of its body says what became of the entries.
inline constexpr int kLokiPartlyStored = 400;
// The answer to a request without streams.
inline constexpr int kLokiNothingSent = 422;

// The answer to a request with `entries` entries of one stream: a 2xx, or one of the two.
//  - 422 to a request without entries: Loki is up.
//  - 2xx with a body: something else than Loki answers there; configuration, `not_the_api`.
//  - 400: the valid entries are stored. When the text counts the others ("total ignored: n out of
//    m") and m is all that was sent, they are rejected. Otherwise data: the sender halves until the
//    refused entry is alone; Loki shows an entry once that comes again in the same stream.
Result<pipeline::Outcome> read_loki_answer(const http::Response& response, std::uint64_t entries);

}  // namespace spanway::sinks

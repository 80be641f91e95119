// Answers to index/stats, index/volume and index/volume_range. Each belongs to one query worker.
#pragma once

#include "services/query/api/loki/log_answers.h"

namespace spanway::query::loki {

// Steps that volume_range takes: each is a question to the store.
inline constexpr std::int64_t kVolumeStepsMax = 120;

Status answer_stats(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                    AnswerWriter& writer);
Status answer_volume(const ApiRequest& request, const QueryParts& parts, QueryContext& context,
                     AnswerWriter& writer);
Status answer_volume_range(const ApiRequest& request, const QueryParts& parts,
                           QueryContext& context, AnswerWriter& writer);

}  // namespace spanway::query::loki

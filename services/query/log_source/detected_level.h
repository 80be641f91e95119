// The level that Loki detects for a record: metadata `detected_level`. Pure; thread-safe.
// Source: the behaviour of Loki 3.7's distributor with its default settings.
#pragma once

#include <string>
#include <string_view>

#include "services/query/labels/label_matcher.h"

namespace spanway::query {

inline constexpr std::string_view kDetectedLevel = "detected_level";

// By a label or metadata that names a level, else by the severity number of OTLP, else by the line:
// of JSON and logfmt a key that names a level, else the first word that is one. "unknown" for none.
std::string detected_level(const Labels& stream, const Labels& metadata, std::string_view line);

}  // namespace spanway::query

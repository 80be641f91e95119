// Attribute keys as names of Loki's labels and structured metadata.
// Source: prometheus/otlptranslator 1.0, LabelNamer, as Loki 3.7 uses it. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace spanway::logstreams {

// Letters and digits stay, each run of anything else becomes one '_'; "key_" in front of a digit;
// "__x__" keeps its underscores. A key without a letter or digit, for which Loki refuses the whole
// request, is "key_".
std::string label_name(std::string_view key);

}  // namespace spanway::logstreams

// How OTLP metrics become series. The defaults are those of Prometheus's own OTLP receiver (3.15).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spanway::promseries {

// As `otlp.translation_strategy` of Prometheus. Escaping: characters other than letters, digits and
// '_' (in metric names also ':') become '_'. Suffixes: unit and type, such as _seconds_total.
enum class Translation : unsigned char {
  kUnderscoreEscapingWithSuffixes,
  kUnderscoreEscapingWithoutSuffixes,
  kNoUtf8EscapingWithSuffixes,
  kNoTranslation,
};
constexpr bool escapes(Translation t) noexcept {
  return t == Translation::kUnderscoreEscapingWithSuffixes ||
         t == Translation::kUnderscoreEscapingWithoutSuffixes;
}
constexpr bool adds_suffixes(Translation t) noexcept {
  return t == Translation::kUnderscoreEscapingWithSuffixes ||
         t == Translation::kNoUtf8EscapingWithSuffixes;
}

// The treatment of sums and histograms of delta temporality.
enum class Delta : unsigned char {
  kReject,  // Counted; the other points pass.
  kAsIs,    // Each value is a sample of its own, of unknown type.
};

// Explicit histograms.
enum class ExplicitHistograms : unsigned char {
  kClassic,  // _bucket, _sum and _count.
  kNative,   // One native histogram with custom buckets.
};

struct Options {
  Translation translation = Translation::kUnderscoreEscapingWithSuffixes;
  Delta delta = Delta::kReject;
  ExplicitHistograms explicit_histograms = ExplicitHistograms::kClassic;
  std::vector<std::string> promote = {};  // Resource attributes that become labels of every series.
};

}  // namespace spanway::promseries

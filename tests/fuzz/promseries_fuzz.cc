// OTLP metrics to series from arbitrary bytes: never a crash, labels in order and never empty, and
// the same calls for the same bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/promseries/series_converter.h"

namespace {

namespace promseries = spanway::promseries;

class Checker final : public promseries::SeriesVisitor {
 public:
  void on_sample(const promseries::Series& series, double) override { check(series); }
  void on_histogram(const promseries::Series& series,
                    const promseries::NativeHistogram& histogram) override {
    check(series);
    std::uint64_t buckets = 0;
    for (const promseries::BucketSpan& span : histogram.positive_spans) buckets += span.length;
    SPANWAY_CHECK(buckets == histogram.positive_deltas.size());
  }
  std::string seen;

 private:
  void check(const promseries::Series& series) {
    std::string_view last;
    bool has_name = false;
    for (const promseries::Label& label : series.labels) {
      SPANWAY_CHECK(!label.value.empty() && label.name > last);
      last = label.name;
      has_name = has_name || label.name == "__name__";
      seen.append(label.name).append(label.value);
    }
    SPANWAY_CHECK(has_name);
  }
};

}  // namespace

// The first byte chooses the options.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  promseries::Options options;
  options.translation = static_cast<promseries::Translation>(data[0] & 3);
  options.delta = (data[0] & 4) != 0 ? promseries::Delta::kAsIs : promseries::Delta::kReject;
  options.explicit_histograms = (data[0] & 8) != 0 ? promseries::ExplicitHistograms::kNative
                                                   : promseries::ExplicitHistograms::kClassic;
  if ((data[0] & 16) != 0) options.promote = {"host.name", "a"};
  // A heap copy of exactly the right size: reads behind it are seen.
  const std::vector<char> copy(data + 1, data + size);
  promseries::Converter converter(options);
  Checker first, second;
  const auto converted = converter.convert({copy.data(), copy.size()}, first);
  const auto again = converter.convert({copy.data(), copy.size()}, second);
  SPANWAY_CHECK(converted.ok() == again.ok() && first.seen == second.seen);
  if (converted.ok()) SPANWAY_CHECK(converted->rejected <= converted->points);
  return 0;
}

#include "tests/insight/planted_paths.h"

#include <string>
#include <utility>

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;

class PathPlanter {
 public:
  explicit PathPlanter(std::uint64_t seed) : random_(seed), trace_(random_) {}

  PlantedPath plant() {
    const std::int64_t begin = 1'000'000'000;
    const std::int64_t end = begin + random_.integer(1'000'000, 100'000'000);
    const std::size_t root =
        trace_.add(TraceBuilder::kNoParent, {"svc-0", "GET /", SpanKind::kServer}, begin, end);
    if (random_.chance(0.05)) {
      fill_chain(root, begin, end);
    } else {
      fill(root, begin, end, 0);
    }
    return {std::move(trace_).shuffled(), std::move(self_ns_)};
  }

 private:
  void is_own_time(std::size_t span, std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    const SampledSpan& of = trace_[span];
    self_ns_[{of.service, of.name, of.kind}] += end - begin;
  }

  // Each span awaits the next one.
  void fill_chain(std::size_t span, std::int64_t begin, std::int64_t end) {
    for (int depth = 0; depth < 2000 && end - begin > 2; ++depth) {
      is_own_time(span, begin, begin + 1);
      is_own_time(span, end - 1, end);
      ++begin;
      --end;
      span = trace_.add(span, {"svc-1", "step", SpanKind::kInternal}, begin, end);
    }
    is_own_time(span, begin, end);
  }

  // The path passes through `span` from `begin` to `end`, which are its times, or those that its
  // parent has of them.
  void fill(std::size_t span, std::int64_t begin, std::int64_t end, int depth) {
    const auto calls = depth >= 7 || end - begin < 1000 ? 0 : random_.integer(0, 4);
    std::int64_t until = end;
    for (std::int64_t n = 0; n < calls && until - begin > 400; ++n) {
      const std::int64_t gap = random_.chance(0.2) ? 0 : random_.integer(1, (until - begin) / 4);
      const std::int64_t child_end = until - gap;
      const std::int64_t child_begin = child_end - random_.integer(10, (child_end - begin) / 2);
      is_own_time(span, child_end, until);
      await(span, child_begin, child_end, child_end == end, depth);
      if (random_.chance(0.4)) add_outlasted(span, begin, child_begin, child_end);
      until = child_begin;
    }
    is_own_time(span, begin, until);
    if (random_.chance(0.3)) add_not_awaited(span, begin, end);
  }

  void await(std::size_t span, std::int64_t begin, std::int64_t end, bool is_last, int depth) {
    const std::string service = trace_[span].service;
    const bool is_remote = random_.chance(0.5);
    const Place place{is_remote ? service + "x" : service,
                      "op-" + std::to_string(random_.integer(0, 30)),
                      is_remote ? SpanKind::kServer : SpanKind::kInternal};
    // The clock of the other service is ahead: its span seems to end after its caller's.
    const std::int64_t skew = is_remote && is_last && random_.chance(0.5) ? 500 : 0;
    const std::size_t child = trace_.add(span, place, begin, end + skew);
    fill(child, begin, end, depth + 1);
  }

  // It runs beside a child that is awaited until [begin, end), and ends before it.
  void add_outlasted(std::size_t span, std::int64_t first, std::int64_t begin, std::int64_t end) {
    const std::int64_t own_end = random_.integer(begin + 1, end - 1);
    const std::int64_t own_begin = random_.integer(first, own_end - 1);
    const std::size_t outlasted =
        trace_.add(span, {"svc-beside", "query", SpanKind::kServer}, own_begin, own_end);
    trace_.add(outlasted, {"svc-beside", "part", SpanKind::kInternal}, own_begin, own_end);
    // As late as the one that is awaited, but shorter.
    if (end - begin > 4 && random_.chance(0.3))
      trace_.add(span, {"svc-beside", "short", SpanKind::kServer}, begin + 1, end);
  }

  void add_not_awaited(std::size_t span, std::int64_t begin, std::int64_t end) {
    const std::string service = trace_[span].service;
    const std::int64_t at = random_.integer(begin, end - 1);
    const std::int64_t span_end = trace_[span].end_unix_nano();
    trace_.add(span, {service, "callback", SpanKind::kInternal}, at, span_end + 700);
    trace_.add(span, {"svc-mail", "process", SpanKind::kConsumer}, at, end);
    trace_.add(span, {service, "mark", SpanKind::kInternal}, at, at);
    trace_.add(span, {service, "later", SpanKind::kInternal}, span_end + 10, span_end + 900);
  }

  PlantedRandom random_;
  TraceBuilder trace_;
  std::map<OperationKey, std::int64_t> self_ns_;
};

}  // namespace

PlantedPath plant_path(std::uint64_t seed) { return PathPlanter(seed).plant(); }

}  // namespace spanway::query::insight

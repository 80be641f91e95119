#include "tests/insight/planted_loops.h"

#include <algorithm>
#include <utility>

namespace spanway::query::insight {
namespace {

using otlp::SpanKind;
constexpr std::int64_t kMicro = 1000;

class LoopPlanter {
 public:
  explicit LoopPlanter(std::uint64_t seed) : random_(seed) {}

  PlantedLoops plant() {
    for (int number = 0; number < 40; ++number) {
      const std::string name = "GET /page/" + std::string(1, static_cast<char>('a' + number % 26)) +
                               std::string(1, static_cast<char>('a' + number / 26));
      // Half of them loop; of the others, each kind as often.
      const auto kind = random_.chance(0.5) ? 0 : random_.integer(1, 7);
      is_database_ = random_.chance(0.6);
      jitter_ = random_.between(0, 0.12);
      if (kind == 0) planted_.looping.insert(name);
      const auto traces = random_.integer(5, 10);
      for (std::int64_t n = 0; n < traces; ++n) {
        TraceBuilder trace(random_);
        root_ = trace.add(TraceBuilder::kNoParent, {"shop", name, SpanKind::kServer}, 0, 0);
        at_ = 0;
        add_others(trace);
        add_calls(trace, kind);
        add_others(trace);
        trace[root_].duration_ns = at_ + 100 * kMicro;
        planted_.traces.push_back(std::move(trace).shuffled());
      }
    }
    return std::move(planted_);
  }

 private:
  void add_calls(TraceBuilder& trace, std::int64_t kind) {
    switch (kind) {
      case 0:  // A loop, as long as the page.
        one_by_one(trace, root_, random_.integer(10, 60));
        break;
      case 1:  // All at once.
        at_once(trace, random_.integer(10, 40), 40);
        break;
      case 2:  // Workers of a pool.
        at_once(trace, random_.integer(20, 40), random_.integer(3, 6));
        break;
      case 3:  // Retries, until it works.
        one_by_one(trace, root_, random_.integer(10, 20));
        for (std::size_t index = first_; index + 1 < trace.size(); ++index)
          trace[index].has_failed = true;
        break;
      case 4:  // Short.
        one_by_one(trace, root_, random_.integer(2, 9));
        break;
      case 5:  // Different calls.
        for (int n = 0; n < 14; ++n) {
          const std::size_t span = call(trace, root_, at_);
          trace[span].attributes.clear();
          trace[span].name = "SELECT table_" + std::string(1, static_cast<char>('a' + n));
        }
        break;
      case 6:  // With different parents.
        for (int n = 0; n < 4; ++n) {
          const std::size_t part =
              trace.add(root_, {"shop", "render part", SpanKind::kInternal}, at_, 0);
          one_by_one(trace, part, random_.integer(3, 8));
          trace[part].duration_ns = at_ - trace[part].start_unix_nano;
        }
        break;
      default:  // A loop that calls no other service.
        for (int n = 0; n < 20; ++n) {
          trace.add(root_, {"shop", "format row", SpanKind::kInternal}, at_, at_ + 10 * kMicro);
          at_ += 11 * kMicro;
        }
    }
  }

  void one_by_one(TraceBuilder& trace, std::size_t parent, std::int64_t calls) {
    first_ = trace.size();
    for (std::int64_t n = 0; n < calls; ++n) {
      // Clocks and callbacks: some begin before the one before them has ended.
      const bool is_early = n > 0 && random_.chance(jitter_);
      call(trace, parent, is_early ? at_ - 30 * kMicro : at_);
    }
  }

  // `width` of them at a time.
  void at_once(TraceBuilder& trace, std::int64_t calls, std::int64_t width) {
    std::vector<std::int64_t> free_at(static_cast<std::size_t>(width), at_);
    std::int64_t end = at_;
    for (std::int64_t n = 0; n < calls; ++n) {
      const auto worker = std::min_element(free_at.begin(), free_at.end());
      call(trace, root_, *worker);
      *worker = at_;
      end = std::max(end, at_);
    }
    at_ = end;
  }

  // Sets `at_` to shortly after its end.
  std::size_t call(TraceBuilder& trace, std::size_t parent, std::int64_t begin) {
    const std::int64_t end = begin + random_.integer(100, 900) * kMicro;
    const std::string number = std::to_string(random_.integer(1, 1'000'000));
    std::size_t span = 0;
    if (is_database_) {
      span = trace.add(parent, {"shop", "SELECT items", SpanKind::kClient}, begin, end);
      trace.set(span, "db.system", "mysql");
      trace.set(span, "db.statement",
                "SELECT * FROM items WHERE id = " + number + " AND name = 'a" + number + "'");
    } else {
      span = trace.add(parent, {"shop", "GET", SpanKind::kClient}, begin, end);
      trace.set(span, "server.address", "prices");
      trace.set(span, "url.full", "http://prices:8080/price/" + number + "?c=eur");
    }
    at_ = end + random_.integer(1, 20) * kMicro;
    return span;
  }

  // The other work of a page.
  void add_others(TraceBuilder& trace) {
    trace.add(root_, {"shop", "authorize", SpanKind::kInternal}, at_, at_ + 50 * kMicro);
    at_ += 60 * kMicro;
    const std::size_t span =
        trace.add(root_, {"shop", "GET session", SpanKind::kClient}, at_, at_ + 80 * kMicro);
    trace.set(span, "db.system", "redis");
    at_ += 90 * kMicro;
  }

  PlantedRandom random_;
  PlantedLoops planted_;
  bool is_database_ = false;
  double jitter_ = 0;
  std::size_t root_ = 0;
  std::size_t first_ = 0;
  std::int64_t at_ = 0;
};

}  // namespace

PlantedLoops plant_loops(std::uint64_t seed) { return LoopPlanter(seed).plant(); }

}  // namespace spanway::query::insight

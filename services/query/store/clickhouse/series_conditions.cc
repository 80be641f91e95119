#include "services/query/store/clickhouse/series_conditions.h"

#include <array>

#include "services/query/store/metric_query.h"

namespace spanway::query {
namespace {

using clickhouse::SqlText;

// Conditions on the name of the metric and on a label, by MatchOp, and the names of their
// parameters.
struct Slot {
  std::array<SqlText, 4> of_name, of_label;
  const char *label_name, *value;
};
#define SPANWAY_SLOT(n)                                                                         \
  {                                                                                             \
    {{"AND metric = {m" #n ":String}", "AND metric != {m" #n ":String}",                        \
      "AND match(metric, concat('^(?s:', {m" #n ":String}, ')$'))",                             \
      "AND NOT match(metric, concat('^(?s:', {m" #n ":String}, ')$'))"}},                       \
        {{"AND labels[{l" #n ":String}] = {m" #n ":String}",                                    \
          "AND labels[{l" #n ":String}] != {m" #n ":String}",                                   \
          "AND match(labels[{l" #n ":String}], concat('^(?s:', {m" #n ":String}, ')$'))",       \
          "AND NOT match(labels[{l" #n ":String}], concat('^(?s:', {m" #n ":String}, ')$'))"}}, \
        "l" #n, "m" #n                                                                          \
  }
constexpr std::array<Slot, kMatchersMax> kSlots = {
    {SPANWAY_SLOT(0),  SPANWAY_SLOT(1),  SPANWAY_SLOT(2),  SPANWAY_SLOT(3),  SPANWAY_SLOT(4),
     SPANWAY_SLOT(5),  SPANWAY_SLOT(6),  SPANWAY_SLOT(7),  SPANWAY_SLOT(8),  SPANWAY_SLOT(9),
     SPANWAY_SLOT(10), SPANWAY_SLOT(11), SPANWAY_SLOT(12), SPANWAY_SLOT(13), SPANWAY_SLOT(14),
     SPANWAY_SLOT(15), SPANWAY_SLOT(16), SPANWAY_SLOT(17), SPANWAY_SLOT(18), SPANWAY_SLOT(19),
     SPANWAY_SLOT(20), SPANWAY_SLOT(21), SPANWAY_SLOT(22), SPANWAY_SLOT(23), SPANWAY_SLOT(24),
     SPANWAY_SLOT(25), SPANWAY_SLOT(26), SPANWAY_SLOT(27), SPANWAY_SLOT(28), SPANWAY_SLOT(29),
     SPANWAY_SLOT(30), SPANWAY_SLOT(31)}};
#undef SPANWAY_SLOT

}  // namespace

void append_series_conditions(std::span<const LabelMatcher> matchers, clickhouse::Select& out) {
  for (std::size_t i = 0; i < matchers.size(); ++i) {
    const Slot& slot = kSlots[i];
    const auto op = static_cast<std::size_t>(matchers[i].op);
    out.parameters.add(slot.value, matchers[i].value);
    if (matchers[i].label == kMetricName) {
      out.sql.add(slot.of_name[op]);
    } else {
      out.parameters.add(slot.label_name, matchers[i].label);
      out.sql.add(slot.of_label[op]);
    }
  }
}

}  // namespace spanway::query

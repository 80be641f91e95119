#include "services/query/store/clickhouse/log_conditions.h"

#include <array>
#include <string>

namespace spanway::query {
namespace {

using clickhouse::SqlText;

// The conditions of one label and of one line, and the names of their parameters.
struct Slot {
  SqlText label_equal, label_not_equal, label_regex, label_not_regex;
  SqlText line_contains, line_lacks, line_regex, line_not_regex;
  const char *label_name, *label_value, *line_text;
};
// A whole value is matched as log_store.h says: '.' is any character.
#define SPANWAY_SLOT(n)                                                                           \
  {                                                                                               \
    "AND labels[{l" #n ":String}] = {m" #n ":String}",                                            \
        "AND labels[{l" #n ":String}] != {m" #n ":String}",                                       \
        "AND match(labels[{l" #n ":String}], concat('^(?s:', {m" #n ":String}, ')$'))",           \
        "AND NOT match(labels[{l" #n ":String}], concat('^(?s:', {m" #n ":String}, ')$'))",       \
        "AND (body_kind != 'string' OR position(body, {f" #n ":String}) > 0)",                    \
        "AND (body_kind != 'string' OR position(body, {f" #n ":String}) = 0)",                    \
        "AND (body_kind != 'string' OR match(body, concat('(?-s:', {f" #n ":String}, ')')))",     \
        "AND (body_kind != 'string' OR NOT match(body, concat('(?-s:', {f" #n ":String}, ')')))", \
        "l" #n, "m" #n, "f" #n                                                                    \
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

void append_label_conditions(std::span<const LabelMatcher> matchers, clickhouse::Select& out) {
  for (std::size_t i = 0; i < matchers.size(); ++i) {
    const Slot& slot = kSlots[i];
    out.parameters.add(slot.label_name, matchers[i].label).add(slot.label_value, matchers[i].value);
    switch (matchers[i].op) {
      case MatchOp::kEqual:
        out.sql.add(slot.label_equal);
        break;
      case MatchOp::kNotEqual:
        out.sql.add(slot.label_not_equal);
        break;
      case MatchOp::kRegex:
        out.sql.add(slot.label_regex);
        break;
      case MatchOp::kNotRegex:
        out.sql.add(slot.label_not_regex);
        break;
    }
  }
}

void append_line_conditions(std::span<const LineFilter> filters, clickhouse::Select& out) {
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const Slot& slot = kSlots[i];
    out.parameters.add(slot.line_text, filters[i].text);
    switch (filters[i].op) {
      case MatchOp::kEqual:
        out.sql.add(slot.line_contains);
        break;
      case MatchOp::kNotEqual:
        out.sql.add(slot.line_lacks);
        break;
      case MatchOp::kRegex:
        out.sql.add(slot.line_regex);
        break;
      case MatchOp::kNotRegex:
        out.sql.add(slot.line_not_regex);
        break;
    }
  }
}

}  // namespace spanway::query

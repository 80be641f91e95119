// Precision and recall, and the table of them in README.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spanway::query::insight {

struct Score {
  std::string kind;
  std::string cases;  // The planted cases, for people.
  std::uint64_t planted = 0;
  std::uint64_t found = 0;  // Among those planted.
  std::uint64_t reported = 0;
  std::uint64_t right = 0;    // Among those reported.
  double precision_goal = 0;  // 0 = none.
  double recall_goal = 0;

  double precision() const;  // 1 when none is reported.
  double recall() const;     // 1 when none is planted.
};

// A row of the table, without a line break.
std::string table_row(const Score& score);

// Rows of the tests that have run, for write_table().
void record(const Score& score);
void record_row(std::string row);
// Replaces what is between the table's marks in tests/insight/README.md by the recorded rows.
void write_table();
// The lines between the marks.
std::vector<std::string> published_rows();

}  // namespace spanway::query::insight

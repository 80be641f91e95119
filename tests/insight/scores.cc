#include "tests/insight/scores.h"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <utility>

namespace spanway::query::insight {
namespace {

constexpr const char* kReadme = "tests/insight/README.md";
constexpr const char* kBegin = "<!-- table -->";
constexpr const char* kEnd = "<!-- end of table -->";
constexpr const char* kHead =
    "| kind | planted | count | found | reported | right | precision | recall |\n"
    "|---|---|---|---|---|---|---|---|\n";

std::vector<std::string>& recorded() {
  static std::vector<std::string> rows;
  return rows;
}

double part_of(std::uint64_t some, std::uint64_t all) {
  return all == 0 ? 1 : static_cast<double>(some) / static_cast<double>(all);
}

std::string figure(double value, double goal) {
  char text[64];
  std::snprintf(text, sizeof text, goal == 0 ? "%.3f" : "%.3f (%.2f)", value, goal);
  return text;
}

std::string contents() {
  std::ifstream file(kReadme);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

double Score::precision() const { return part_of(right, reported); }
double Score::recall() const { return part_of(found, planted); }

std::string table_row(const Score& score) {
  std::ostringstream row;
  row << "| " << score.kind << " | " << score.cases << " | " << score.planted << " | "
      << score.found << " | " << score.reported << " | " << score.right << " | "
      << figure(score.precision(), score.precision_goal) << " | "
      << figure(score.recall(), score.recall_goal) << " |";
  return row.str();
}

void record(const Score& score) { record_row(table_row(score)); }
void record_row(std::string row) { recorded().push_back(std::move(row)); }

void write_table() {
  const std::string text = contents();
  const std::size_t begin = text.find(kBegin), end = text.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos) return;
  std::string table = std::string(kBegin) + "\n" + kHead;
  for (const std::string& row : recorded()) table += row + "\n";
  std::ofstream(kReadme) << text.substr(0, begin) << table << text.substr(end);
}

std::vector<std::string> published_rows() {
  std::istringstream text(contents());
  std::vector<std::string> rows;
  bool is_inside = false;
  for (std::string line; std::getline(text, line);) {
    if (line == kEnd) is_inside = false;
    if (is_inside) rows.push_back(line);
    if (line == kBegin) is_inside = true;
  }
  return rows;
}

}  // namespace spanway::query::insight

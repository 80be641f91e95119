#include "operator/api/cron.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "services/lib/base/ascii.h"

namespace spanway::api {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  int min = 0;
  int max = 0;
  std::span<const std::string_view> names = {};  // From `min` on.
};
constexpr std::array<Field, 5> kFields = {
    {{0, 59}, {0, 23}, {1, 31}, {1, 12, kMonths}, {0, 6, kDays}}};

// The number that at most `digits_max` digits are.
std::optional<int> number_in(std::string_view text, std::size_t digits_max) {
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<int> value_in(std::string_view text, const Field& field) {
  for (std::size_t i = 0; i < field.names.size(); ++i)
    if (equals_ignoring_case(text, field.names[i])) return field.min + static_cast<int>(i);
  const std::optional<int> value = number_in(text, 2);
  if (!value || *value < field.min || *value > field.max) return std::nullopt;
  return value;
}

CronProblem problem_of_part(std::string_view part, const Field& field) {
  if (const std::size_t slash = part.find('/'); slash != std::string_view::npos) {
    const std::string_view step = part.substr(slash + 1);
    if (!number_in(step, 3) || step.front() == '0') return CronProblem::kMalformed;
    part = part.substr(0, slash);
  }
  if (part == "*") return CronProblem::kNone;
  const std::size_t dash = part.find('-');
  const std::optional<int> begin = value_in(part.substr(0, dash), field);
  if (!begin) return CronProblem::kMalformed;
  if (dash == std::string_view::npos) return CronProblem::kNone;
  const std::optional<int> end = value_in(part.substr(dash + 1), field);
  if (!end) return CronProblem::kMalformed;
  return *end < *begin ? CronProblem::kReversed : CronProblem::kNone;
}

CronProblem problem_of_list(std::string_view list, const Field& field) {
  CronProblem worst = CronProblem::kNone;
  while (true) {
    const std::size_t comma = list.find(',');
    const CronProblem problem = problem_of_part(list.substr(0, comma), field);
    if (problem == CronProblem::kMalformed) return problem;
    if (problem == CronProblem::kReversed) worst = problem;
    if (comma == std::string_view::npos) return worst;
    list = list.substr(comma + 1);
  }
}

}  // namespace

#define SPANWAY_CRON_PART(value) "([*]|" value "(-" value ")?)(/[1-9][0-9]{0,2})?"
#define SPANWAY_CRON_FIELD(value) SPANWAY_CRON_PART(value) "(," SPANWAY_CRON_PART(value) ")*"
const char* const kCronCel =
    "self.schedule.matches('(?i)^" SPANWAY_CRON_FIELD("[0-5]?[0-9]") " " SPANWAY_CRON_FIELD(
        "([01]?[0-9]|2[0-3])") " " SPANWAY_CRON_FIELD("(0?[1-9]|[12][0-9]|3[01])") " "
    SPANWAY_CRON_FIELD(
        "(0?[1-9]|1[0-2]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)") " "
    SPANWAY_CRON_FIELD("(0?[0-6]|sun|mon|tue|wed|thu|fri|sat)") "$')";
#undef SPANWAY_CRON_FIELD
#undef SPANWAY_CRON_PART

CronProblem cron_problem(std::string_view schedule) {
  CronProblem worst = CronProblem::kNone;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    const std::size_t space = schedule.find(' ');
    const bool is_last = i + 1 == kFields.size();
    if (is_last != (space == std::string_view::npos)) return CronProblem::kMalformed;
    const CronProblem problem = problem_of_list(schedule.substr(0, space), kFields[i]);
    if (problem == CronProblem::kMalformed) return problem;
    if (problem == CronProblem::kReversed) worst = problem;
    if (!is_last) schedule = schedule.substr(space + 1);
  }
  return worst;
}

}  // namespace spanway::api

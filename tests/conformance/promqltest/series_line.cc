#include "tests/conformance/promqltest/series_line.h"

#include <cctype>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "services/query/promql/lexer.h"
#include "services/query/promql/parser.h"

namespace spanway::promqltest {
namespace {

using query::promql::Histogram;

// Bytes of the metric: a name, braces, or both.
std::size_t metric_bytes(std::string_view line) {
  std::size_t i = 0;
  while (i < line.size() && line[i] != '{' &&
         std::isspace(static_cast<unsigned char>(line[i])) == 0)
    ++i;
  std::size_t brace = i;
  while (brace < line.size() && line[brace] == ' ') ++brace;
  if (brace >= line.size() || line[brace] != '{' || line.substr(brace, 2) == "{{") return i;
  char quote = '\0';
  for (std::size_t k = brace; k < line.size(); ++k) {
    if (quote != '\0') {
      if (line[k] == '\\' && quote != '`')
        ++k;
      else if (line[k] == quote)
        quote = '\0';
    } else if (line[k] == '"' || line[k] == '\'' || line[k] == '`') {
      quote = line[k];
    } else if (line[k] == '}') {
      return k + 1;
    }
  }
  return line.size();
}

Result<query::Labels> parse_labels(std::string_view text) {
  query::Labels labels;
  if (text == "{}") return labels;
  SPANWAY_ASSIGN(const auto expr, query::promql::parse(text, {.experimental = true}));
  for (const auto& matcher : expr->matchers)
    if (!matcher.value.empty()) labels.emplace_back(matcher.label, matcher.value);
  query::promql::sort_labels(labels);
  return labels;
}

// The number at the begin of the text; its bytes, 0 when there is none.
std::size_t leading_number(std::string_view text, double& value) {
  const std::size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  std::size_t n = sign;
  for (const char* word : {"inf", "nan"}) {
    std::string lower;
    for (const char c : text.substr(sign, 3))
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (lower == word) n = sign + 3;
  }
  if (n == sign) {
    const auto digits = [&] {
      while (n < text.size() &&
             (std::isdigit(static_cast<unsigned char>(text[n])) != 0 || text[n] == '.'))
        ++n;
    };
    digits();
    if (n > sign && n + 1 < text.size() && (text[n] == 'e' || text[n] == 'E')) {
      n += text[n + 1] == '-' || text[n + 1] == '+' ? 2 : 1;
      digits();
    }
  }
  if (n == sign) return 0;
  value = std::strtod(std::string(text.substr(0, n)).c_str(), nullptr);
  return n;
}

Result<std::size_t> parse_times(std::string_view text) {
  if (text.size() < 2 || text[0] != 'x') return invalid_argument("expected x<times>");
  return static_cast<std::size_t>(std::strtoull(std::string(text.substr(1)).c_str(), nullptr, 10));
}

Result<std::vector<double>> parse_array(std::string_view text) {
  std::vector<double> result;
  std::size_t i = 1;
  while (i < text.size() && text[i] != ']') {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    double value = 0;
    const std::size_t n = leading_number(text.substr(i), value);
    if (n == 0) return invalid_argument("bad array " + std::string(text));
    result.push_back(value);
    i += n;
  }
  return result;
}

struct HistogramText {
  Histogram histogram;
  bool has_hint = false;
};

Result<HistogramText> parse_histogram(std::string_view text) {
  HistogramText result;
  std::map<std::string, std::vector<double>, std::less<>> arrays;
  std::map<std::string, double, std::less<>> figures;
  for (std::size_t i = 2; i + 2 < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    const std::size_t colon = text.find(':', i);
    if (colon == std::string_view::npos) return invalid_argument("bad histogram");
    const std::string key(text.substr(i, colon - i));
    const bool is_array = text[colon + 1] == '[';
    std::size_t end = is_array ? text.find(']', colon) + 1 : text.find_first_of(" }", colon);
    const std::string_view value = text.substr(colon + 1, end - colon - 1);
    if (is_array) {
      SPANWAY_ASSIGN(arrays[key], parse_array(value));
    } else if (key == "counter_reset_hint") {
      result.has_hint = true;
      result.histogram.hint = value == "reset"       ? Histogram::Hint::kReset
                              : value == "not_reset" ? Histogram::Hint::kNotReset
                              : value == "gauge"     ? Histogram::Hint::kGauge
                                                     : Histogram::Hint::kUnknown;
    } else {
      parse_number(value, figures[key]);
    }
    i = end;
  }
  Histogram& h = result.histogram;
  h.schema = static_cast<int>(figures["schema"]);
  h.sum = figures["sum"];
  h.count = figures["count"];
  h.zero_count = figures["z_bucket"];
  h.zero_threshold = figures["z_bucket_w"];
  h.custom_bounds = arrays["custom_values"];
  const auto fill = [&](std::vector<query::promql::Bucket>& out, const char* buckets,
                        const char* offset) {
    int index = static_cast<int>(figures[offset]);
    for (const double count : arrays[buckets]) out.push_back({index++, count});
  };
  fill(h.positive, "buckets", "offset");
  fill(h.negative, "n_buckets", "n_offset");
  return result;
}

Status append_histograms(std::string_view item, std::vector<SequenceValue>& out) {
  const std::size_t end = item.find("}}") + 2;
  SPANWAY_ASSIGN(HistogramText base, parse_histogram(item.substr(0, end)));
  std::string_view rest = item.substr(end);
  const auto emit = [&](const Histogram& h, bool has_hint) {
    out.push_back({false, 0, std::make_shared<Histogram>(h), has_hint});
  };
  if (rest.empty()) {
    emit(base.histogram, base.has_hint);
    return ok_status();
  }
  if (rest[0] == 'x') {
    SPANWAY_ASSIGN(const std::size_t times, parse_times(rest));
    for (std::size_t i = 0; i <= times; ++i) emit(base.histogram, base.has_hint);
    return ok_status();
  }
  const bool is_sum = rest[0] == '+';
  rest.remove_prefix(1);
  const std::size_t step_end = rest.find("}}") + 2;
  SPANWAY_ASSIGN(const HistogramText step, parse_histogram(rest.substr(0, step_end)));
  SPANWAY_ASSIGN(const std::size_t times, parse_times(rest.substr(step_end)));
  emit(base.histogram, step.has_hint);
  for (std::size_t i = 0; i < times; ++i) {
    if (is_sum)
      query::promql::add(base.histogram, step.histogram);
    else
      query::promql::subtract(base.histogram, step.histogram);
    emit(base.histogram, step.has_hint);
  }
  return ok_status();
}

Status append_item(std::string_view item, std::vector<SequenceValue>& out) {
  if (item.starts_with("{{")) return append_histograms(item, out);
  if (item.starts_with("_") || item.starts_with("stale")) {
    const std::size_t word = item[0] == '_' ? 1 : 5;
    std::size_t times = 1;
    if (item.size() > word) {
      SPANWAY_ASSIGN(times, parse_times(item.substr(word)));
      if (word == 5) ++times;
    }
    for (std::size_t i = 0; i < times; ++i)
      out.push_back({word == 1, query::promql::stale_marker(), nullptr, false});
    return ok_status();
  }
  double value = 0;
  const std::size_t n = leading_number(item, value);
  if (n == 0) return invalid_argument("bad value " + std::string(item));
  double step = 0;
  std::size_t times = 0;
  std::string_view rest = item.substr(n);
  if (!rest.empty() && rest[0] != 'x') {
    const std::size_t m = leading_number(rest, step);
    if (m == 0) return invalid_argument("bad value " + std::string(item));
    rest.remove_prefix(m);
  }
  if (!rest.empty()) {
    SPANWAY_ASSIGN(times, parse_times(rest));
  }
  for (std::size_t i = 0; i <= times; ++i) {
    out.push_back({false, value, nullptr, false});
    value += step;
  }
  return ok_status();
}

std::vector<std::string_view> items_of(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t i = 0; i < text.size();) {
    if (std::isspace(static_cast<unsigned char>(text[i])) != 0) {
      ++i;
      continue;
    }
    const std::size_t first = i;
    bool is_inside = false;
    while (i < text.size() &&
           (is_inside || std::isspace(static_cast<unsigned char>(text[i])) == 0)) {
      if (text.substr(i, 2) == "{{") is_inside = true;
      if (text.substr(i, 2) == "}}") is_inside = false;
      ++i;
    }
    result.push_back(text.substr(first, i - first));
  }
  return result;
}

// A signed duration at the begin; its bytes.
Result<std::size_t> leading_duration(std::string_view text, double& ms) {
  const bool is_negative = text.starts_with("-");
  const std::size_t sign = is_negative || text.starts_with("+") ? 1 : 0;
  std::size_t n = sign;
  while (n < text.size() && std::isdigit(static_cast<unsigned char>(text[n])) != 0) ++n;
  while (n < text.size() && std::isalpha(static_cast<unsigned char>(text[n])) != 0 &&
         text[n] != 'x')
    ++n;
  SPANWAY_ASSIGN(const auto value, query::promql::parse_duration(text.substr(sign, n - sign)));
  ms = static_cast<double>(is_negative ? -value : value);
  return n;
}

}  // namespace

bool parse_number(std::string_view text, double& value) {
  const std::string copy(text);
  char* end = nullptr;
  value = std::strtod(copy.c_str(), &end);
  return !copy.empty() && end == copy.c_str() + copy.size();
}

Result<SeriesLine> parse_series_line(std::string_view line) {
  const std::size_t n = metric_bytes(line);
  SeriesLine result;
  SPANWAY_ASSIGN(result.labels, parse_labels(line.substr(0, n)));
  for (const std::string_view item : items_of(line.substr(n)))
    SPANWAY_TRY(append_item(item, result.values));
  return result;
}

Result<std::vector<SequenceValue>> parse_start_times(std::string_view text) {
  std::vector<SequenceValue> result;
  for (std::string_view item : items_of(text)) {
    if (item[0] == '_') {
      SPANWAY_TRY(append_item(item, result));
      continue;
    }
    double value = 0;
    double step = 0;
    std::size_t times = 0;
    SPANWAY_ASSIGN(const std::size_t n, leading_duration(item, value));
    item.remove_prefix(n);
    if (!item.empty() && item[0] != 'x') {
      SPANWAY_ASSIGN(const std::size_t m, leading_duration(item, step));
      item.remove_prefix(m);
    }
    if (!item.empty()) {
      SPANWAY_ASSIGN(times, parse_times(item));
    }
    for (std::size_t i = 0; i <= times; ++i) {
      result.push_back({false, value, nullptr, false});
      value += step;
    }
  }
  return result;
}

}  // namespace spanway::promqltest

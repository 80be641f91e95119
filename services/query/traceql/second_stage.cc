#include "services/query/traceql/second_stage.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

namespace spanway::query::traceql {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double calculated(Token op, double left, double right) {
  switch (op) {
    case Token::kAdd:
      return left + right;
    case Token::kSub:
      return left - right;
    case Token::kMul:
      return left * right;
    default:
      return right == 0 ? kNaN : left / right;
  }
}

bool is_kept(Token op, double left, double right) {
  switch (op) {
    case Token::kEqual:
      return left == right;
    case Token::kNotEqual:
      return left != right;
    case Token::kLess:
      return left < right;
    case Token::kLessEqual:
      return left <= right;
    case Token::kGreater:
      return left > right;
    default:
      return left >= right;
  }
}

SeriesLabels without_name(const SeriesLabels& labels) {
  SeriesLabels result;
  std::copy_if(labels.begin(), labels.end(), std::back_inserter(result),
               [](const Label& label) { return label.name != kNameLabel; });
  return result;
}

// Among equal values the series that is first by its labels' texts is taken first.
bool labels_before(const SeriesLabels& left, const SeriesLabels& right) {
  return std::lexicographical_compare(
      left.begin(), left.end(), right.begin(), right.end(), [](const Label& l, const Label& r) {
        const std::string l_text = plain_text(l.value), r_text = plain_text(r.value);
        return l_text != r_text ? l_text < r_text : l.name < r.name;
      });
}

std::vector<Series> most(const SecondStage& stage, std::vector<Series> input) {
  const auto limit = static_cast<std::size_t>(stage.limit);
  if (input.size() <= limit) return input;
  const bool is_top = stage.kind == SecondStage::Kind::kTopk;
  std::sort(input.begin(), input.end(), [](const Series& left, const Series& right) {
    return labels_before(left.labels, right.labels);
  });
  std::vector<bool> is_in_result(input.size());
  for (std::size_t i = 0; i < input[0].values.size(); ++i) {
    std::vector<std::size_t> order;
    for (std::size_t s = 0; s < input.size(); ++s)
      if (!std::isnan(input[s].values[i])) order.push_back(s);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t l, std::size_t r) {
      const double left = input[l].values[i], right = input[r].values[i];
      return is_top ? left > right : left < right;
    });
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      if (rank < limit)
        is_in_result[order[rank]] = true;
      else
        input[order[rank]].values[i] = kNaN;
    }
  }
  std::vector<Series> result;
  for (std::size_t s = 0; s < input.size(); ++s)
    if (is_in_result[s]) result.push_back(std::move(input[s]));
  return result;
}

std::vector<Series> filtered(const SecondStage& stage, std::vector<Series> input) {
  std::vector<Series> result;
  for (Series& series : input) {
    bool has_value = false;
    for (double& value : series.values) {
      if (!is_kept(stage.op, value, stage.number) || std::isnan(value))
        value = kNaN;
      else
        has_value = true;
    }
    if (!has_value) continue;
    std::erase_if(series.exemplars, [&](const Exemplar& exemplar) {
      return !std::isnan(exemplar.value) && !is_kept(stage.op, exemplar.value, stage.number);
    });
    result.push_back(std::move(series));
  }
  return result;
}

SeriesLabels merged(Token op, const SeriesLabels& left, const SeriesLabels& right) {
  SeriesLabels result = without_name(left);
  for (const Label& label : right) {
    const bool is_new = std::none_of(result.begin(), result.end(),
                                     [&](const Label& own) { return own.name == label.name; });
    if (is_new && label.name != kNameLabel) result.push_back(label);
  }
  const auto name_of = [](const SeriesLabels& labels) -> const Value* {
    for (const Label& label : labels)
      if (label.name == kNameLabel) return &label.value;
    return nullptr;
  };
  const Value *left_name = name_of(left), *right_name = name_of(right);
  if (left_name != nullptr && right_name != nullptr)
    result.insert(result.begin(), {kNameLabel, Value::of_string("(" + left_name->text + " " +
                                                                std::string(to_string(op)) + " " +
                                                                right_name->text + ")")});
  return result;
}

// By labels but the name, in their order.
class SeriesByLabels {
 public:
  explicit SeriesByLabels(const std::vector<Series>& all) {
    for (const Series& series : all) by_key_.emplace(key_of(series.labels), &series);
  }
  // The series of these labels, else the one without labels, else null.
  const Series* find(const SeriesLabels& labels) const {
    const auto found = by_key_.find(key_of(labels));
    if (found != by_key_.end()) return found->second;
    const auto without_labels = by_key_.find("");
    return without_labels == by_key_.end() ? nullptr : without_labels->second;
  }

 private:
  static std::string key_of(const SeriesLabels& labels) {
    std::string key;
    for (const Label& label : without_name(labels)) {
      const std::string value = plain_text(label.value);
      key += label.name + '\0' + static_cast<char>(label.value.type) +
             std::to_string(value.size()) + ':' + value;
    }
    return key;
  }
  std::unordered_map<std::string, const Series*> by_key_;
};

}  // namespace

std::vector<Series> apply(const SecondStage& stage, std::vector<Series> input) {
  switch (stage.kind) {
    case SecondStage::Kind::kTopk:
    case SecondStage::Kind::kBottomk:
      return most(stage, std::move(input));
    case SecondStage::Kind::kFilter:
      return filtered(stage, std::move(input));
    case SecondStage::Kind::kScalar:
      break;
  }
  const auto with_number = [&](double value) {
    return stage.is_number_left ? calculated(stage.op, stage.number, value)
                                : calculated(stage.op, value, stage.number);
  };
  for (Series& series : input) {
    for (double& value : series.values) value = with_number(value);
    for (Exemplar& exemplar : series.exemplars) exemplar.value = with_number(exemplar.value);
  }
  return input;
}

std::vector<Series> combine(Token op, const std::vector<Series>& left,
                            const std::vector<Series>& right) {
  const bool is_right_single = std::any_of(right.begin(), right.end(), [](const Series& series) {
    return without_name(series.labels).empty();
  });
  const SeriesByLabels all_left(left), all_right(right);
  std::vector<Series> result;
  for (const Series& target : is_right_single ? left : right) {
    const Series *l = all_left.find(target.labels), *r = all_right.find(target.labels);
    if (l == nullptr || r == nullptr) continue;
    Series& series = result.emplace_back();
    series.labels = merged(op, l->labels, r->labels);
    const std::size_t count = std::min(l->values.size(), r->values.size());
    for (std::size_t i = 0; i < count; ++i)
      series.values.push_back(calculated(op, l->values[i], r->values[i]));
    series.exemplars = l->exemplars;
    series.exemplars.insert(series.exemplars.end(), r->exemplars.begin(), r->exemplars.end());
  }
  return result;
}

}  // namespace spanway::query::traceql

#include "services/query/promql/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "services/query/promql/number_text.h"

namespace spanway::query::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The upper bound of a bucket of an exponential schema.
double exponential_bound(int index, int schema) {
  if (schema < 0) {
    const std::int64_t exponent = static_cast<std::int64_t>(index) << -schema;
    if (exponent == 1024) return std::numeric_limits<double>::max();
    return std::ldexp(1.0, static_cast<int>(exponent));
  }
  const int mask = (1 << schema) - 1;
  const double fraction = std::exp2(static_cast<double>(index & mask) / (1 << schema)) / 2;
  const int exponent = (index >> schema) + 1;
  if (fraction == 0.5 && exponent == 1025) return std::numeric_limits<double>::max();
  return std::ldexp(fraction, exponent);
}

void remove_empty(std::vector<Bucket>& buckets) {
  std::erase_if(buckets, [](const Bucket& one) { return one.count == 0; });
}

void reduce(std::vector<Bucket>& buckets, int shift) {
  std::vector<Bucket> result;
  for (const Bucket& one : buckets) {
    const int index = ((one.index - 1) >> shift) + 1;
    if (!result.empty() && result.back().index == index)
      result.back().count += one.count;
    else
      result.push_back({index, one.count});
  }
  buckets = std::move(result);
}

}  // namespace

void kahan_add(double increment, double& sum, double& compensation) {
  const double total = sum + increment;
  if (std::isinf(total))
    compensation = 0;
  else if (std::fabs(sum) >= std::fabs(increment))
    compensation += (sum - total) + increment;
  else
    compensation += (increment - total) + sum;
  sum = total;
}

double Histogram::bound(int index) const {
  if (!is_custom()) return exponential_bound(index, schema);
  if (index < 0) return -kInfinity;
  const auto position = static_cast<std::size_t>(index);
  return position < custom_bounds.size() ? custom_bounds[position] : kInfinity;
}

std::vector<BoundedBucket> Histogram::buckets() const {
  std::vector<BoundedBucket> result;
  for (auto one = negative.rbegin(); one != negative.rend(); ++one)
    if (one->count != 0)
      result.push_back(
          {-bound(one->index), std::min(-bound(one->index - 1), -zero_threshold), one->count});
  if (zero_count > 0) result.push_back({-zero_threshold, zero_threshold, zero_count});
  for (const Bucket& one : positive)
    if (one.count != 0) {
      const double lower = bound(one.index - 1);
      result.push_back({lower > 0 && lower < zero_threshold ? zero_threshold : lower,
                        bound(one.index), one.count});
    }
  return result;
}

void Histogram::compact() {
  remove_empty(positive);
  remove_empty(negative);
}

void Histogram::multiply(double factor) {
  for (double* value : {&zero_count, &count, &sum}) *value *= factor;
  for (Bucket& one : positive) one.count *= factor;
  for (Bucket& one : negative) one.count *= factor;
  if (factor < 0) hint = Hint::kGauge;
}

void Histogram::divide(double divisor) {
  for (double* value : {&zero_count, &count, &sum}) *value /= divisor;
  if (divisor == 0) {
    positive.clear();
    negative.clear();
    return;
  }
  for (Bucket& one : positive) one.count /= divisor;
  for (Bucket& one : negative) one.count /= divisor;
  if (divisor < 0) hint = Hint::kGauge;
}

void Histogram::reduce_to(int target_schema) {
  if (is_custom() || target_schema >= schema) return;
  reduce(positive, schema - target_schema);
  reduce(negative, schema - target_schema);
  schema = target_schema;
}

bool Histogram::has_overflow() const {
  const auto is_infinite = [](const Bucket& one) { return std::isinf(one.count); };
  return std::isinf(zero_count) || std::isinf(count) || std::isinf(sum) ||
         std::any_of(positive.begin(), positive.end(), is_infinite) ||
         std::any_of(negative.begin(), negative.end(), is_infinite);
}

bool Histogram::equals(const Histogram& other) const {
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  const auto same_buckets = [&](std::vector<Bucket> a, std::vector<Bucket> b) {
    remove_empty(a);
    remove_empty(b);
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](const Bucket& x, const Bucket& y) {
                        return x.index == y.index && same(x.count, y.count);
                      });
  };
  return schema == other.schema && same(count, other.count) && same(sum, other.sum) &&
         zero_threshold == other.zero_threshold && same(zero_count, other.zero_count) &&
         custom_bounds == other.custom_bounds && same_buckets(positive, other.positive) &&
         same_buckets(negative, other.negative);
}

std::string to_string(const Histogram& histogram) {
  std::string result =
      "{count:" + print_general(histogram.count) + ", sum:" + print_general(histogram.sum);
  const auto print = [&](double lower, double upper, double count, bool with_lower,
                         bool with_upper) {
    result += std::string(", ") + (with_lower ? "[" : "(") + print_general(lower) + "," +
              print_general(upper) + (with_upper ? "]:" : "):") + print_general(count);
  };
  for (auto one = histogram.negative.rbegin(); one != histogram.negative.rend(); ++one)
    if (one->count != 0)
      print(-histogram.bound(one->index), -histogram.bound(one->index - 1), one->count, true,
            false);
  if (histogram.zero_count != 0)
    print(-histogram.zero_threshold, histogram.zero_threshold, histogram.zero_count, true, true);
  for (const Bucket& one : histogram.positive)
    if (one.count != 0)
      print(histogram.bound(one.index - 1), histogram.bound(one.index), one.count,
            histogram.is_custom() && one.index == 0, true);
  return result + "}";
}

}  // namespace spanway::query::promql

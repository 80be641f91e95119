// Sums, differences and counter resets of native histograms.
#include <algorithm>
#include <cmath>
#include <limits>

#include "services/query/promql/histogram.h"

namespace spanway::query::promql {
namespace {

using Hint = Histogram::Hint;

bool merge_hints(Histogram& sum, const Histogram& other) {
  if (other.hint == sum.hint || sum.hint == Hint::kGauge) return false;
  if (other.hint == Hint::kGauge) {
    sum.hint = Hint::kGauge;
    return false;
  }
  const bool collides = sum.hint != Hint::kUnknown && other.hint != Hint::kUnknown;
  sum.hint = Hint::kUnknown;
  return collides;
}

// The zero bucket with a threshold of at least `threshold`, as it contains whole buckets only.
void widen_zero_bucket(Histogram& histogram, double threshold) {
  if (threshold <= histogram.zero_threshold) return;
  bool grew = true;
  while (grew) {
    grew = false;
    for (const auto* side : {&histogram.positive, &histogram.negative})
      for (const Bucket& one : *side) {
        const double upper = histogram.bound(one.index);
        if (one.count != 0 && histogram.bound(one.index - 1) < threshold && upper > threshold) {
          threshold = upper;
          grew = true;
        }
      }
  }
  double lost = 0;
  for (auto* side : {&histogram.positive, &histogram.negative})
    std::erase_if(*side, [&](const Bucket& one) {
      if (histogram.bound(one.index - 1) >= threshold) return false;
      kahan_add(one.count, histogram.zero_count, lost);
      return true;
    });
  histogram.zero_count += lost;
  histogram.zero_threshold = threshold;
}

void match_zero_buckets(Histogram& one, Histogram& other) {
  while (one.zero_threshold != other.zero_threshold) {
    widen_zero_bucket(one, other.zero_threshold);
    widen_zero_bucket(other, one.zero_threshold);
  }
}

std::vector<double> common_bounds(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> result;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result));
  return result;
}

// The same buckets over fewer bounds.
void rebound(Histogram& histogram, const std::vector<double>& bounds) {
  std::vector<Bucket> result;
  for (const Bucket& one : histogram.positive) {
    const double upper = histogram.bound(one.index);
    const auto target =
        static_cast<int>(std::lower_bound(bounds.begin(), bounds.end(), upper) - bounds.begin());
    if (!result.empty() && result.back().index == target)
      result.back().count += one.count;
    else
      result.push_back({target, one.count});
  }
  histogram.positive = std::move(result);
  histogram.custom_bounds = bounds;
}

// `lost` has the buckets of `sum` and stays so.
void add_buckets(std::vector<Bucket>& sum, const std::vector<Bucket>& other, double sign,
                 std::vector<Bucket>* lost) {
  std::vector<Bucket> result;
  std::vector<Bucket> compensation;
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t k = 0;
  while (i < sum.size() || j < other.size()) {
    const int index = j == other.size() || (i < sum.size() && sum[i].index <= other[j].index)
                          ? sum[i].index
                          : other[j].index;
    double total = 0;
    double rest = 0;
    if (i < sum.size() && sum[i].index == index) total = sum[i++].count;
    if (lost != nullptr) {
      while (k < lost->size() && (*lost)[k].index < index) ++k;
      if (k < lost->size() && (*lost)[k].index == index) rest = (*lost)[k].count;
    }
    if (j < other.size() && other[j].index == index) {
      if (lost != nullptr)
        kahan_add(sign * other[j].count, total, rest);
      else
        total += sign * other[j].count;
      ++j;
    }
    result.push_back({index, total});
    compensation.push_back({index, rest});
  }
  sum = std::move(result);
  if (lost != nullptr) *lost = std::move(compensation);
}

AddOutcome combine(Histogram& sum, const Histogram& added, double sign, Histogram* lost) {
  AddOutcome outcome;
  if (sum.is_custom() != added.is_custom()) return {.incompatible = true};
  outcome.hint_collision = merge_hints(sum, added);
  Histogram other = added;
  if (sum.is_custom()) {
    if (sum.custom_bounds != other.custom_bounds) {
      outcome.bounds_reconciled = true;
      const auto bounds = common_bounds(sum.custom_bounds, other.custom_bounds);
      if (lost != nullptr) rebound(*lost, bounds);
      rebound(sum, bounds);
      rebound(other, bounds);
    }
  } else {
    match_zero_buckets(sum, other);
    if (lost != nullptr) widen_zero_bucket(*lost, sum.zero_threshold);
    const int schema = std::min(sum.schema, other.schema);
    for (Histogram* one : {&sum, &other, lost})
      if (one != nullptr) one->reduce_to(schema);
  }
  const auto figure = [&](double Histogram::*member) {
    if (lost != nullptr)
      kahan_add(sign * other.*member, sum.*member, lost->*member);
    else
      sum.*member += sign * other.*member;
  };
  figure(&Histogram::zero_count);
  figure(&Histogram::count);
  figure(&Histogram::sum);
  add_buckets(sum.positive, other.positive, sign, lost == nullptr ? nullptr : &lost->positive);
  add_buckets(sum.negative, other.negative, sign, lost == nullptr ? nullptr : &lost->negative);
  return outcome;
}

bool has_fewer(const std::vector<Bucket>& now, const std::vector<Bucket>& before) {
  std::size_t i = 0;
  for (const Bucket& one : before) {
    while (i < now.size() && now[i].index < one.index) ++i;
    const double count = i < now.size() && now[i].index == one.index ? now[i].count : 0;
    if (one.count != 0 && count < one.count) return true;
  }
  return false;
}

}  // namespace

AddOutcome add(Histogram& sum, const Histogram& other, Histogram* compensation) {
  return combine(sum, other, 1, compensation);
}

AddOutcome subtract(Histogram& sum, const Histogram& other) {
  return combine(sum, other, -1, nullptr);
}

bool Histogram::is_reset_after(const Histogram& previous) const {
  if (hint == Hint::kReset) return true;
  if (hint == Hint::kNotReset) return false;
  if (count < previous.count) return true;
  if (is_custom()) {
    if (!previous.is_custom()) return true;
    if (custom_bounds == previous.custom_bounds) return has_fewer(positive, previous.positive);
    const auto bounds = common_bounds(custom_bounds, previous.custom_bounds);
    Histogram now = *this;
    Histogram before = previous;
    rebound(now, bounds);
    rebound(before, bounds);
    return has_fewer(now.positive, before.positive);
  }
  if (previous.is_custom() || schema > previous.schema || zero_threshold < previous.zero_threshold)
    return true;
  Histogram before = previous;
  widen_zero_bucket(before, zero_threshold);
  if (before.zero_threshold != zero_threshold || zero_count < before.zero_count) return true;
  before.reduce_to(schema);
  return has_fewer(positive, before.positive) || has_fewer(negative, before.negative);
}

}  // namespace spanway::query::promql

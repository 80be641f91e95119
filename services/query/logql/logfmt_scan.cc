#include "services/query/logql/logfmt_scan.h"

#include "services/lib/base/utf8.h"
#include "services/query/logql/go_text.h"
#include "services/query/logql/json_scan.h"

namespace spanway::query::logql {
namespace {

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }

}  // namespace

void LogfmtScan::fail(const std::string& what) {
  error_ = "logfmt syntax error at pos " + std::to_string(pos_ + 1) + " : " + what;
}

void LogfmtScan::fail_at(char c) {
  fail(c == '"' ? "unexpected '\"'" : "unexpected '" + std::string(1, c) + "'");
}

bool LogfmtScan::skip_broken() {
  while (!at_end() && !is_blank(line_[pos_])) ++pos_;
  return false;
}

bool LogfmtScan::next() {
  key_ = {};
  value_.clear();
  while (!at_end() && is_blank(line_[pos_])) ++pos_;
  if (at_end()) return false;
  if (!take_key()) return false;
  if (at_end() || line_[pos_] != '=') return true;
  ++pos_;
  if (at_end() || is_blank(line_[pos_])) return true;
  return line_[pos_] == '"' ? take_quoted_value() : take_value();
}

bool LogfmtScan::take_key() {
  const std::size_t begin = pos_;
  while (!at_end() && !is_blank(line_[pos_]) && line_[pos_] != '=' && line_[pos_] != '"') ++pos_;
  if (!at_end() && (line_[pos_] == '"' || (line_[pos_] == '=' && pos_ == begin))) {
    fail_at(line_[pos_]);
    return skip_broken();
  }
  key_ = line_.substr(begin, pos_ - begin);
  if (is_valid_utf8(key_)) return true;
  fail("invalid key");
  return !at_end() && line_[pos_] == '=' ? skip_broken() : false;
}

bool LogfmtScan::take_value() {
  const std::size_t begin = pos_;
  while (!at_end() && !is_blank(line_[pos_])) {
    if (line_[pos_] == '=' || line_[pos_] == '"') {
      fail_at(line_[pos_]);
      return skip_broken();
    }
    ++pos_;
  }
  value_ = line_.substr(begin, pos_ - begin);
  return true;
}

bool LogfmtScan::take_quoted_value() {
  const std::size_t begin = pos_ + 1;
  bool has_escape = false;
  for (std::size_t end = begin; end < line_.size(); ++end) {
    if (line_[end] == '\\') {
      has_escape = true;
      ++end;
    } else if (line_[end] == '"') {
      pos_ = end + 1;
      const std::string_view raw = line_.substr(begin, end - begin);
      if (!has_escape) {
        value_ = raw;
        return true;
      }
      auto text = json_text(raw);
      if (!text) {
        fail("invalid quoted value");
        return false;
      }
      value_ = std::move(*text);
      return true;
    }
  }
  pos_ = line_.size();
  fail("unterminated quoted value");
  return false;
}

}  // namespace spanway::query::logql

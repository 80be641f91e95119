// Text to the nodes of a template.
#include <algorithm>
#include <utility>

#include "services/query/logql/go_text.h"
#include "services/query/logql/template_node.h"

namespace spanway::query::logql {
namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::string_view kBlank = " \t\r\n";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class TemplateParser {
 public:
  TemplateParser(std::string_view name, std::string_view text) : name_(name), text_(text) {}

  // False: error() says why.
  bool run(std::vector<TemplateNode>& out) {
    if (!list(out, 0)) return false;
    return end_ == End::kText || fail("unexpected {{" + end_word_ + "}}");
  }
  std::string error() const { return error_; }
  std::vector<std::string> fields() const { return fields_; }

 private:
  enum class End : unsigned char { kText, kEnd, kElse };

  bool fail(const std::string& what) {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<long>(pos_), '\n');
    if (error_.empty())
      error_ = "template: " + std::string(name_) + ":" + std::to_string(line) + ": " + what;
    return false;
  }
  std::string_view rest() const { return text_.substr(pos_); }
  char at(std::size_t offset = 0) const {
    return pos_ + offset < text_.size() ? text_[pos_ + offset] : '\0';
  }
  void skip_blanks() {
    while (pos_ < text_.size() && kBlank.find(text_[pos_]) != kBlank.npos) ++pos_;
  }
  std::string word() {
    const std::size_t begin = pos_;
    while (is_letter(at()) || is_digit(at())) ++pos_;
    return std::string(text_.substr(begin, pos_ - begin));
  }

  // Nodes up to the end of the text, {{end}} or {{else}}, whose inside is left for the caller.
  bool list(std::vector<TemplateNode>& out, std::size_t depth) {
    if (depth > kDepthMax) return fail("a template is nested too deep");
    for (;;) {
      const std::size_t begin = std::min(text_.find("{{", pos_), text_.size());
      std::string_view plain = text_.substr(pos_, begin - pos_);
      if (trims_) plain.remove_prefix(std::min(plain.find_first_not_of(kBlank), plain.size()));
      trims_ = false;
      pos_ = begin;
      const bool is_end = begin == text_.size();
      const bool trims_left = !is_end && at(2) == '-' && kBlank.find(at(3)) != kBlank.npos;
      if (trims_left) plain = plain.substr(0, plain.find_last_not_of(kBlank) + 1);
      if (!plain.empty()) {
        out.emplace_back().text = plain;
      }
      if (is_end) {
        end_ = End::kText;
        return true;
      }
      pos_ += trims_left ? 4 : 2;
      if (rest().starts_with("/*")) {
        if (!comment()) return false;
        continue;
      }
      skip_blanks();
      bool is_over = false;
      if (!action(out, depth, is_over)) return false;
      if (is_over) return true;
    }
  }

  bool comment() {
    const std::size_t end = text_.find("*/", pos_);
    if (end == text_.npos) return fail("unclosed comment");
    pos_ = end + 2;
    skip_blanks();
    return close();
  }

  // "}}", or "-}}" that trims what follows.
  bool close() {
    skip_blanks();
    if (kBlank.find(text_[pos_ - 1]) != kBlank.npos && rest().starts_with("-}}")) {
      trims_ = true;
      pos_ += 3;
      return true;
    }
    if (!rest().starts_with("}}"))
      return fail(pos_ == text_.size()
                      ? "unclosed action"
                      : "unexpected " + quoted(text_.substr(pos_, 1)) + " in operand");
    pos_ += 2;
    return true;
  }

  bool action(std::vector<TemplateNode>& out, std::size_t depth, bool& is_over) {
    const std::size_t begin = pos_;
    const std::string keyword = is_letter(at()) ? word() : "";
    if (keyword == "end" || keyword == "else") {
      is_over = true;
      end_ = keyword == "end" ? End::kEnd : End::kElse;
      end_word_ = keyword;
      return keyword == "else" || close();
    }
    TemplateNode& node = out.emplace_back();
    if (keyword == "if" || keyword == "with") {
      node.kind = keyword == "if" ? TemplateNode::Kind::kIf : TemplateNode::Kind::kWith;
      return branch(node, depth);
    }
    for (const std::string_view other :
         {"range", "define", "template", "block", "break", "continue"})
      if (keyword == other) return fail("\"" + keyword + "\" is not supported");
    pos_ = begin;
    node.kind = TemplateNode::Kind::kAction;
    return pipe(node.pipe, depth) && close();
  }

  bool branch(TemplateNode& node, std::size_t depth) {
    const std::size_t scope = variables_.size();
    const bool is_read = branch_in_scope(node, depth);
    variables_.resize(std::min(scope, variables_.size()));
    return is_read;
  }

  bool branch_in_scope(TemplateNode& node, std::size_t depth) {
    if (!pipe(node.pipe, depth) || !close()) return false;
    const bool is_with = node.kind == TemplateNode::Kind::kWith;
    with_ += is_with ? 1 : 0;
    const bool is_read = list(node.body, depth + 1);
    with_ -= is_with ? 1 : 0;
    if (!is_read) return false;
    if (end_ == End::kText) return fail("unexpected EOF");
    if (end_ == End::kEnd) return true;
    skip_blanks();
    if (is_letter(at())) {
      const std::string keyword = word();
      if (keyword != "if" && keyword != "with")
        return fail("unexpected " + quoted(keyword) + " in else");
      TemplateNode& inner = node.otherwise.emplace_back();
      inner.kind = keyword == "if" ? TemplateNode::Kind::kIf : TemplateNode::Kind::kWith;
      return depth < kDepthMax ? branch(inner, depth + 1) : fail("a template is nested too deep");
    }
    if (!close() || !list(node.otherwise, depth + 1)) return false;
    return end_ == End::kEnd || fail(end_ == End::kText ? "unexpected EOF" : "unexpected {{else}}");
  }

  bool pipe(TemplatePipe& out, std::size_t depth) {
    if (depth > kDepthMax) return fail("a template is nested too deep");
    skip_blanks();
    if (at() == '$') {
      const std::size_t begin = pos_++;
      const std::string name = "$" + word();
      skip_blanks();
      const bool declares = rest().starts_with(":=");
      if (declares || (at() == '=' && at(1) != '=')) {
        if (!declares && !has_variable(name)) return fail("undefined variable " + quoted(name));
        out.variable = name;
        out.is_declaration = declares;
        pos_ += declares ? 2 : 1;
      } else {
        pos_ = begin;
      }
    }
    do {
      if (!command(out.commands.emplace_back(), depth)) return false;
      skip_blanks();
    } while (at() == '|' && ++pos_ > 0);
    for (std::size_t i = 1; i < out.commands.size(); ++i)
      if (out.commands[i][0].kind != TemplateOperand::Kind::kFunction)
        return fail("non executable command in pipeline stage " + std::to_string(i + 1));
    if (out.is_declaration) variables_.push_back(out.variable);
    return true;
  }

  bool command(std::vector<TemplateOperand>& out, std::size_t depth) {
    for (;;) {
      skip_blanks();
      const char c = at();
      if (c == '\0' || c == '|' || c == ')' || c == '}' ||
          (rest().starts_with("-}}") && pos_ > 0 && kBlank.find(text_[pos_ - 1]) != kBlank.npos))
        break;
      if (!operand(out.emplace_back(), depth)) return false;
    }
    if (out.empty()) return fail(at() == '\0' ? "unclosed action" : "missing value for command");
    if (out.size() > 1 && out[0].kind != TemplateOperand::Kind::kFunction)
      return fail("can't give argument to non-function");
    return true;
  }

  bool operand(TemplateOperand& out, std::size_t depth) {
    const char c = at();
    if (c == '"' || c == '`') return string_constant(out, c);
    if (is_digit(c) || ((c == '-' || c == '+') && (is_digit(at(1)) || at(1) == '.')) ||
        (c == '.' && is_digit(at(1))))
      return number_constant(out);
    if (c == '.') return field(out);
    if (at() == '$') {
      ++pos_;
      out.kind = TemplateOperand::Kind::kVariable;
      out.name = "$" + word();
      if (out.name == "$" && at() == '.') return root_field(out);
      if (at() == '.') return fail("fields of variables are not supported");
      return has_variable(out.name) || fail("undefined variable " + quoted(out.name));
    }
    if (c == '(') {
      ++pos_;
      out.kind = TemplateOperand::Kind::kPipe;
      out.pipe = std::make_shared<TemplatePipe>();
      if (!pipe(*out.pipe, depth + 1)) return false;
      skip_blanks();
      if (at() != ')') return fail("unclosed left paren");
      ++pos_;
      return at() != '.' || fail("fields of values are not supported");
    }
    if (!is_letter(c)) return fail("unexpected " + quoted(text_.substr(pos_, 1)) + " in operand");
    return name(out);
  }

  bool name(TemplateOperand& out) {
    const std::string name = word();
    if (name == "true" || name == "false") {
      out.constant = name == "true";
      return true;
    }
    if (name == "nil") {
      out.constant = std::monostate();
      return true;
    }
    out.kind = TemplateOperand::Kind::kFunction;
    out.name = name;
    for (const std::string_view other :
         {"index", "slice", "call", "js", "fromJson", "now", "toDate", "toDateInZone"})
      if (name == other) return fail("function \"" + name + "\" is not supported");
    return is_template_function(name) || fail("function \"" + name + "\" not defined");
  }

  // "$.label": of the entry, also within {{with}}.
  bool root_field(TemplateOperand& out) {
    ++pos_;
    out.kind = TemplateOperand::Kind::kField;
    out.name = word();
    if (out.name.empty()) return fail("unexpected \".\" in operand");
    if (at() == '.') return fail("a label has no field");
    fields_.push_back(out.name);
    return true;
  }

  bool field(TemplateOperand& out) {
    ++pos_;
    if (!is_letter(at())) {
      out.kind = TemplateOperand::Kind::kDot;
      return with_ > 0 || fail("'.' is supported within {{with}} only");
    }
    out.kind = TemplateOperand::Kind::kField;
    out.name = word();
    if (at() == '.') return fail("a label has no field");
    if (with_ > 0) return fail("within {{with}} only '.' and variables are supported");
    fields_.push_back(out.name);
    return true;
  }

  bool string_constant(TemplateOperand& out, char quote) {
    std::size_t end = pos_ + 1;
    while (end < text_.size() && text_[end] != quote && (quote == '`' || text_[end] != '\n'))
      end += quote == '"' && text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size() || text_[end] != quote)
      return fail(quote == '"' ? "unterminated quoted string" : "unterminated raw quoted string");
    auto value = unquote(text_.substr(pos_, end + 1 - pos_));
    if (!value.ok()) return fail(value.error().message);
    out.constant = std::move(value).value();
    pos_ = end + 1;
    return true;
  }

  bool number_constant(TemplateOperand& out) {
    const std::size_t begin = pos_++;
    while (is_letter(at()) || is_digit(at()) || at() == '.' ||
           ((at() == '-' || at() == '+') && (text_[pos_ - 1] == 'e' || text_[pos_ - 1] == 'E')))
      ++pos_;
    const std::string_view text = text_.substr(begin, pos_ - begin);
    const auto value = parse_float(text);
    if (!value.ok()) return fail("bad number syntax: " + quoted(text));
    if (text.find_first_of(".eE") == text.npos)
      out.constant = static_cast<std::int64_t>(*value);
    else
      out.constant = *value;
    return true;
  }

  bool has_variable(std::string_view name) const {
    return std::find(variables_.begin(), variables_.end(), name) != variables_.end();
  }

  const std::string_view name_;
  const std::string_view text_;
  std::size_t pos_ = 0;
  bool trims_ = false;
  int with_ = 0;
  End end_ = End::kText;
  std::string end_word_;
  std::vector<std::string> variables_;
  std::vector<std::string> fields_;
  std::string error_;
};

}  // namespace

Result<Template> Template::create(std::string_view name, std::string_view text) {
  TemplateParser parser(name, text);
  auto root = std::make_shared<TemplateNode>();
  root->kind = TemplateNode::Kind::kList;
  if (!parser.run(root->body)) return invalid_argument(parser.error()).with_reason("bad_query");
  Template result;
  result.name_ = name;
  result.fields_ = parser.fields();
  result.root_ = std::move(root);
  return result;
}

}  // namespace spanway::query::logql

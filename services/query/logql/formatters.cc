// Stages that write lines and labels: line_format, label_format, decolorize, drop, keep.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "services/query/labels/regex.h"
#include "services/query/logql/stage_pipeline.h"
#include "services/query/logql/template.h"
#include "services/query/logql/template_texts.h"

namespace spanway::query::logql {
namespace {

constexpr std::string_view kTemplateError = "TemplateFormatErr";
// The escape sequences of terminals.
constexpr std::string_view kColors =
    "[\\x{1b}\\x{9b}][[\\]()#;?]*(?:(?:(?:[a-zA-Z\\d]*(?:;[a-zA-Z\\d]*)*)?\\x07)|"
    "(?:(?:\\d{1,4}(?:;\\d{0,4})*)?[\\dA-PRZcf-ntqry=><~]))";

Error bad(std::string what) { return invalid_argument(std::move(what)).with_reason("bad_query"); }

TemplateInput input_of(std::int64_t time, const std::string& line, const PipelineLabels& labels) {
  return {.label = [&labels](std::string_view name) -> std::optional<std::string_view> {
            if (name == kErrorLabel) return labels.error();
            if (name == kErrorDetailsLabel) return labels.error_details();
            return labels.get(name);
          },
          .line = line,
          .time = time};
}

class LineFormatter final : public StageRunner {
 public:
  explicit LineFormatter(Template format) : format_(std::move(format)) {}
  bool run(std::int64_t time, std::string& line, PipelineLabels& labels) const override {
    auto text = format_.execute(input_of(time, line, labels));
    if (text.ok())
      line = std::move(text).value();
    else
      labels.set_error(kTemplateError, text.error().message);
    return true;
  }
  std::vector<std::string> required_labels() const override { return format_.fields(); }

 private:
  const Template format_;
};

class LabelFormatter final : public StageRunner {
 public:
  using Formats = std::vector<std::pair<LabelFormat, std::optional<Template>>>;
  explicit LabelFormatter(Formats formats) : formats_(std::move(formats)) {}
  bool run(std::int64_t time, std::string& line, PipelineLabels& labels) const override {
    // Templates of one stage see the labels as they were before the first template.
    std::optional<std::map<std::string, std::string, std::less<>>> before;
    for (const auto& [format, content] : formats_) {
      if (format.is_rename) {
        if (const auto value = labels.get(format.value)) {
          labels.set_parsed(format.name, std::string(*value));
          labels.erase(format.value);
        }
        continue;
      }
      if (!before) {
        before.emplace();
        for (auto& [name, value] : labels.all()) before->emplace(name, std::move(value));
      }
      const TemplateInput input{
          .label = [&before](std::string_view name) -> std::optional<std::string_view> {
            const auto found = before->find(name);
            return found == before->end() ? std::nullopt
                                          : std::optional<std::string_view>(found->second);
          },
          .line = line,
          .time = time};
      auto text = content->execute(input);
      if (text.ok())
        labels.set_parsed(format.name, std::move(text).value());
      else
        labels.set_error(kTemplateError, text.error().message);
    }
    return true;
  }
  std::vector<std::string> required_labels() const override {
    std::vector<std::string> names;
    for (const auto& [format, content] : formats_) {
      if (format.is_rename) names.push_back(format.value);
      if (content) names.insert(names.end(), content->fields().begin(), content->fields().end());
    }
    return names;
  }

 private:
  const Formats formats_;
};

class Decolorizer final : public StageRunner {
 public:
  explicit Decolorizer(Regex colors) : colors_(std::move(colors)) {}
  bool run(std::int64_t, std::string& line, PipelineLabels&) const override {
    line = replace_all(colors_, line, "", true);
    return true;
  }

 private:
  const Regex colors_;
};

// One name of drop and keep.
struct Choice {
  std::string name;
  std::optional<LabelMatcher> matcher;
  std::optional<Regex> regex;

  const std::string& label() const { return matcher ? matcher->label : name; }
  bool matches(std::string_view value) const {
    if (!matcher) return true;
    const bool is_match = regex ? regex->matches(value) : value == matcher->value;
    return is_match == (matcher->op == MatchOp::kEqual || matcher->op == MatchOp::kRegex);
  }
};

class Dropper final : public StageRunner {
 public:
  explicit Dropper(std::vector<Choice> choices) : choices_(std::move(choices)) {}
  bool run(std::int64_t, std::string&, PipelineLabels& labels) const override {
    for (const Choice& choice : choices_) {
      if (choice.label() == kErrorLabel) {
        if (choice.matches(labels.error())) labels.clear_error();
      } else if (choice.label() == kErrorDetailsLabel) {
        if (choice.matches(labels.error_details())) labels.clear_error_details();
      } else {
        const auto value = labels.get(choice.label());
        if (choice.matcher ? choice.matches(value.value_or("")) : value.has_value())
          labels.erase(choice.label());
      }
    }
    return true;
  }

 private:
  const std::vector<Choice> choices_;
};

class Keeper final : public StageRunner {
 public:
  explicit Keeper(std::vector<Choice> choices) : choices_(std::move(choices)) {}
  bool run(std::int64_t, std::string&, PipelineLabels& labels) const override {
    for (const auto& [name, value] : labels.all()) {
      if (name == kErrorLabel || name == kErrorDetailsLabel || name == kPreserveErrorLabel)
        continue;
      const bool is_kept = std::any_of(choices_.begin(), choices_.end(),
                                       [&, &own = name, &text = value](const Choice& c) {
                                         return c.label() == own && c.matches(text);
                                       });
      if (!is_kept) labels.erase(name);
    }
    return true;
  }

 private:
  const std::vector<Choice> choices_;
};

Result<StageRunnerPtr> make_label_formatter(const Stage& stage) {
  LabelFormatter::Formats formats;
  std::set<std::string> names;
  for (const LabelFormat& format : stage.formats) {
    if (format.name == kErrorLabel) return bad(format.name + " cannot be formatted");
    if (!names.insert(format.name).second)
      return bad("multiple label name '" + format.name +
                 "' not allowed in a single format operation");
    std::optional<Template> content;
    if (!format.is_rename) {
      auto created = Template::create("label", format.value);
      if (!created.ok())
        return bad("invalid template for label '" + format.name + "': " + created.error().message);
      content = std::move(created).value();
    }
    formats.emplace_back(format, std::move(content));
  }
  return StageRunnerPtr(std::make_unique<LabelFormatter>(std::move(formats)));
}

}  // namespace

Result<StageRunnerPtr> make_formatter(const Stage& stage) {
  if (stage.kind == StageKind::kDecolorize) {
    SPANWAY_ASSIGN(Regex colors, Regex::within(kColors));
    return StageRunnerPtr(std::make_unique<Decolorizer>(std::move(colors)));
  }
  if (stage.kind == StageKind::kLabelFormat) return make_label_formatter(stage);
  auto format = Template::create("line", stage.text);
  if (!format.ok()) return bad("invalid line template: " + format.error().message);
  return StageRunnerPtr(std::make_unique<LineFormatter>(std::move(format).value()));
}

Result<StageRunnerPtr> make_label_choice(const Stage& stage) {
  std::vector<Choice> choices;
  for (const NamedMatcher& one : stage.names) {
    Choice& choice = choices.emplace_back();
    choice.name = one.name;
    choice.matcher = one.matcher;
    if (one.matcher &&
        (one.matcher->op == MatchOp::kRegex || one.matcher->op == MatchOp::kNotRegex)) {
      SPANWAY_ASSIGN(choice.regex, Regex::whole(one.matcher->value));
    }
  }
  if (stage.kind == StageKind::kDrop)
    return StageRunnerPtr(std::make_unique<Dropper>(std::move(choices)));
  return StageRunnerPtr(std::make_unique<Keeper>(std::move(choices)));
}

}  // namespace spanway::query::logql

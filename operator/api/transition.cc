// Transition rules between the old and the new Pipeline, from the declaration.
#include <map>

#include "operator/api/declaration.h"
#include "operator/api/fields.h"

namespace spanway::api {
namespace {

// The old values, by path.
struct Before {
  std::map<std::string, const void*> objects;
  std::map<std::string, std::string> fixed;
};

// Walks a Pipeline twice: the first walk fills `before`, the second compares with it. List items
// are matched by their keys, as in the API server.
class TransitionWalk final : public Fields {
 public:
  TransitionWalk(Before& before, config::Problems* problems, std::string path)
      : before_(before), problems_(problems), path_(std::move(path)) {}

  using Fields::field;
  void field(std::string_view, bool&, const FieldInfo&) override {}
  void field(std::string_view, std::int64_t&, const FieldInfo&) override {}
  void field(std::string_view name, std::string& value, const FieldInfo& info) override {
    if (!info.immutable) return;
    const std::string path = path_of(name);
    if (problems_ == nullptr) {
      before_.fixed[path] = value;
      return;
    }
    const auto old = before_.fixed.find(path);
    if (old != before_.fixed.end() && old->second != value) problems_->add(path, kImmutableMessage);
  }
  void field(std::string_view, Duration&, const FieldInfo&) override {}
  void field(std::string_view, std::vector<std::string>&, const FieldInfo&) override {}
  void field(std::string_view, std::map<std::string, std::string>&, const FieldInfo&) override {}
  void quantity(std::string_view, std::string&, const FieldInfo&) override {}
  void word(std::string_view, int&, const EnumNames&, const FieldInfo&) override {}
  void words(std::string_view, std::vector<std::string>&, const EnumNames&,
             const FieldInfo&) override {}
  void raw(std::string_view, Json&, RawShape, const FieldInfo&) override {}

  void group(std::string_view name, const FieldInfo&, const Describe& describe) override {
    enter(path_of(name), describe);
  }
  void optional_impl(std::string_view name, const FieldInfo&, bool present,
                     const std::function<void()>&, const Describe& describe) override {
    if (present) enter(path_of(name), describe);
  }
  void list_impl(std::string_view name, const FieldInfo&, const List& list) override {
    for (std::size_t i = 0; i < list.size; ++i)
      enter(path_of(name) + "[" + list.key_of(i) + "]",
            [&list, i](Fields& item) { list.describe_item(item, i); });
  }
  void rule_impl(const RuleInfo&, const std::function<bool()>&) override {}
  void transition_impl(const RuleInfo& info, const void* self,
                       const std::function<bool(const void*)>& holds) override {
    if (problems_ == nullptr) {
      before_.objects[path_] = self;
      return;
    }
    const auto old = before_.objects.find(path_);
    if (old != before_.objects.end() && !holds(old->second))
      problems_->add(path_of(info.field), info.message);
  }

 private:
  std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  void enter(const std::string& path, const Describe& describe) {
    TransitionWalk inner(before_, problems_, path);
    describe(inner);
  }

  Before& before_;
  config::Problems* const problems_;  // Null in the first walk.
  const std::string path_;
};

}  // namespace

void check_transition(const Pipeline& before, const Pipeline& after, config::Problems& problems) {
  // describe() needs mutable values, although this visitor changes none.
  Pipeline was = before;
  Pipeline is = after;
  Before facts;
  TransitionWalk first(facts, nullptr, "");
  describe(first, was);
  TransitionWalk second(facts, &problems, "");
  describe(second, is);
}

}  // namespace spanway::api

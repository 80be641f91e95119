#include "services/lib/config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <optional>
#include <sstream>
#include <utility>

#include "services/lib/base/utf8.h"
#include "services/lib/config/scalar.h"

namespace spanway::config {
namespace {

// Problems of the syntax kind that one file may add.
constexpr std::size_t kSyntaxProblemsMax = 1000;

Place to_place(const YAML::Mark& mark) noexcept {
  return mark.is_null() ? Place{} : Place{mark.line + 1, mark.column + 1};
}

// Builds the tree from the parser's events: unlike YAML::Node these show duplicate keys and
// aliases, and nothing is expanded before it is counted.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}

  // Nothing more can be read; the problem has been added. The parser cannot be interrupted, so
  // from then on its events are ignored.
  bool stopped() const noexcept { return stopped_; }
  std::unique_ptr<Node> take_root() { return stopped_ ? nullptr : std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (std::exchange(started_, true))
      stop(to_place(mark), "a second document begins here; write one document only");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (is_key_position()) stop(to_place(mark), "a key is missing before the ':'");
    add(Node::Kind::kNull, mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    report(to_place(mark), "aliases (*name) are not supported; write the value out");
    if (is_key_position()) stopped_ = true;
    add(Node::Kind::kNull, mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (is_key_position()) {
      open_.back().key = Key{value, to_place(mark)};
    } else if (Node* node = add(Node::Kind::kScalar, mark)) {
      node->text = value;
      node->quoted = tag == "!";
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(Node::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Key {
    std::string name;
    Place place;
  };
  struct Open {
    Node* node = nullptr;
    std::optional<Key> key = std::nullopt;  // Read, and waiting for its value.
  };

  void report(Place place, std::string message) {
    if (stopped_) return;
    problems_.add(Problem{"", std::move(message), place.line, place.column});
    stopped_ = problems_.all().size() >= kSyntaxProblemsMax;
  }
  void stop(Place place, std::string message) {
    report(place, std::move(message));
    stopped_ = true;
  }
  bool is_key_position() const {
    return !stopped_ && !open_.empty() && open_.back().node->kind == Node::Kind::kMap &&
           !open_.back().key;
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor)
      report(to_place(mark), "anchors (&name) are not supported; write the value out");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag != "?" && tag != "!" && !tag.empty())
      report(to_place(mark), "tags (!name) are not supported; remove " + quote(tag));
  }
  void begin(Node::Kind kind, const YAML::Mark& mark, const std::string& tag,
             YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (is_key_position()) stop(to_place(mark), "a key must be one word, not a list or a mapping");
    if (open_.size() >= kDepthMax)
      stop(to_place(mark), "nested more than " + std::to_string(kDepthMax) + " deep");
    if (Node* node = add(kind, mark)) open_.push_back(Open{node});
  }
  void end() {
    if (!stopped_) open_.pop_back();
  }

  // Adds a new node at the position of the parser; null once stopped.
  Node* add(Node::Kind kind, const YAML::Mark& mark) {
    if (++nodes_ > kNodesMax)
      stop(to_place(mark), "more than " + std::to_string(kNodesMax) + " values in one file");
    if (stopped_) return nullptr;
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->place = node->key_place = to_place(mark);
    Node* raw = node.get();
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node->kind == Node::Kind::kList) {
      open_.back().node->items.push_back(std::move(node));
    } else {
      raw = add_entry(open_.back(), std::move(node));
    }
    return raw;
  }

  // The second value of a duplicate key is read, so that its own mistakes are found, and dropped.
  Node* add_entry(Open& map, std::unique_ptr<Node> node) {
    const Key key = std::move(*map.key);
    map.key.reset();
    node->key_place = key.place;
    if (node->kind == Node::Kind::kNull) node->place = key.place;
    const auto [entry, is_new] = map.node->entries.try_emplace(key.name, nullptr);
    if (is_new) {
      entry->second = std::move(node);
      return entry->second.get();
    }
    report(key.place, "duplicate key " + quote(key.name) + "; first used in line " +
                          std::to_string(entry->second->key_place.line));
    duplicates_.push_back(std::move(node));
    return duplicates_.back().get();
  }

  Problems& problems_;
  std::unique_ptr<Node> root_;
  std::vector<Open> open_;
  std::vector<std::unique_ptr<Node>> duplicates_;
  std::size_t nodes_ = 0;
  bool started_ = false;
  bool stopped_ = false;
};

// Control characters and broken UTF-8 are found before yaml-cpp, which passes them on.
bool check_characters(std::string_view yaml, Problems& problems) {
  Place place{1, 1};
  while (!yaml.empty()) {
    const CodePoint c = decode_utf8(yaml);
    const bool control =
        (c.value < 0x20 && c.value != '\t' && c.value != '\n' && c.value != '\r') ||
        c.value == 0x7f;
    if (c.length == 0 || control) {
      problems.add(Problem{"", c.length == 0 ? "not valid UTF-8" : "control character", place.line,
                           place.column});
      return false;
    }
    place = c.value == '\n' ? Place{place.line + 1, 1} : Place{place.line, place.column + 1};
    yaml.remove_prefix(c.length);
  }
  return true;
}

// yaml-cpp's message for a tab at the start of a line does not mention it.
bool is_indented_by_tab(std::string_view yaml, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = yaml.find('\n');
    if (end == std::string_view::npos) return false;
    yaml.remove_prefix(end + 1);
  }
  const std::size_t text = yaml.find_first_not_of(" \t");
  return yaml.substr(0, text).find('\t') != std::string_view::npos;
}

}  // namespace

std::unique_ptr<Node> parse_document(std::string_view yaml, Problems& problems) {
  if (yaml.size() > kFileBytesMax) {
    problems.add("", "the file is larger than 1 MiB");
    return nullptr;
  }
  if (!check_characters(yaml, problems)) return nullptr;
  TreeBuilder builder(problems);
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    while (!builder.stopped() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    if (builder.stopped()) return nullptr;
    const Place place = to_place(e.mark);
    const char* hint = "";
    if (is_indented_by_tab(yaml, place.line)) {
      hint = " (indent with spaces, not tabs)";
    } else if (e.msg == YAML::ErrorMsg::END_OF_MAP || e.msg == YAML::ErrorMsg::END_OF_SEQ) {
      hint = " (indent the line as the others of its section)";
    }
    problems.add(Problem{"", "bad YAML: " + escape(e.msg) + hint, place.line, place.column});
    return nullptr;
  }
  return builder.take_root();
}

}  // namespace spanway::config
